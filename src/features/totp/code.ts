/**
 * Time-based one-time codes: HMAC-SHA-1 (what every app has; ASVS 11.4.1 names it as the
 * exception), six digits, half a minute.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6238
 */
import { generateURI, verifySync } from 'otplib';

const STEP_SECONDS = 30;
/** RFC 4226 §4 R6: 160 bits. */
export const SECRET_BYTES = 20;

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 §6 without padding: 160 bits are 32 letters and nothing is left over. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32.charAt((buffer >>> bits) & 31);
    }
    buffer &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + BASE32.charAt((buffer << (5 - bits)) & 31);
}

/** The step that a moment lies in, by the server's clock alone (ASVS 6.5.8). */
export function stepAt(milliseconds: number): number {
  return Math.floor(milliseconds / 1000 / STEP_SECONDS);
}

/** Which steps count. */
export interface StepWindow {
  /** Wall-clock milliseconds. */
  readonly now: number;
  /** Steps on each side of the present one (D3). */
  readonly window: 0 | 1;
  /** No step up to this one counts. */
  readonly lastStep: number;
}

/**
 * The step whose code this is, newest first, or null: of the present step, and with a window of one
 * the steps beside it (D3). Steps up to `lastStep` don't count.
 */
export function matchingStep(
  secret: Uint8Array,
  code: string,
  { now, window, lastStep }: StepWindow,
): number | null {
  // otplib throws on another form (T8); digits of other scripts are none.
  if (!/^[0-9]{6}$/.test(code)) return null;
  const present = stepAt(now);
  for (let step = present + window; step >= present - window; step--) {
    if (
      step > lastStep &&
      verifySync({ secret, token: code, epoch: step * STEP_SECONDS, epochTolerance: 0 }).valid
    )
      return step;
  }
  return null;
}

/**
 * For the app's QR code. @see https://github.com/google/google-authenticator/wiki/Key-Uri-Format
 */
export function otpauthUri(values: { issuer: string; account: string; secret: string }): string {
  return generateURI({
    issuer: values.issuer,
    label: values.account,
    secret: values.secret,
    algorithm: 'sha1',
    digits: 6,
    period: STEP_SECONDS,
  });
}
