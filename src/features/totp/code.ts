/**
 * Time-based one-time codes: HMAC-SHA-1 (which every app supports; ASVS 11.4.1 permits it here),
 * six digits, 30 seconds.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6238
 */
import { generateURI, verifySync } from 'otplib';

const STEP_SECONDS = 30;
/** RFC 4226 §4 R6: 160 bits. */
export const SECRET_BYTES = 20;

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 §6 without padding: 160 bits are exactly 32 letters. */
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

/** The bytes of base 32 in either case, with or without padding; null for another text. */
export function base32Bytes(text: string): Uint8Array | null {
  const letters = text.toUpperCase().replace(/=+$/, '');
  const bytes: number[] = [];
  let buffer = 0;
  let bits = 0;
  for (const letter of letters) {
    const value = BASE32.indexOf(letter);
    if (value < 0) return null;
    buffer = ((buffer << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((buffer >>> bits) & 0xff);
  }
  const made = new Uint8Array(bytes);
  return base32(made) === letters ? made : null;
}

/** The time step of a moment, by the server's clock alone (ASVS 6.5.8). */
export function stepAt(milliseconds: number): number {
  return Math.floor(milliseconds / 1000 / STEP_SECONDS);
}

/** Which steps are accepted. */
export interface StepWindow {
  /** Wall-clock milliseconds. */
  readonly now: number;
  /** Accepted steps on each side of the current one (D3). */
  readonly window: 0 | 1;
  /** Steps up to this one are refused. */
  readonly lastStep: number;
}

/**
 * The step that has this code, newest first, or null: the current step, and with a window of one
 * the steps next to it (D3). Steps up to `lastStep` are refused.
 */
export function matchingStep(
  secret: Uint8Array,
  code: string,
  { now, window, lastStep }: StepWindow,
): number | null {
  // otplib throws on any other format (T8); digits of other scripts are not accepted.
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
