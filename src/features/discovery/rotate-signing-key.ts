/** Making a new signing key ahead of the schedule. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import type { KeyPurpose } from '../../core/signing-key/key-ring.ts';
import type { SigningKeys } from '../../core/signing-key/signing-key.ts';
import { Refusal } from '../../refusal.ts';
import { JWKS_MAX_AGE_SECONDS } from './routes.ts';

/** Longer than verifiers may cache the JWKS, so that all know the key before it signs. */
export const ROTATION_DELAY_MS = 2 * JWKS_MAX_AGE_SECONDS * 1000;

export interface Rotation {
  /** Keys of access tokens, or of refresh and challenge tokens. */
  readonly purpose: KeyPurpose;
  readonly starts: 'after_caches' | 'at_once';
  readonly olderKeys: 'keep' | 'withdraw';
}

export interface RotatedKey {
  readonly kid: string;
  /** Milliseconds since 1970. */
  readonly activatesAt: number;
}

const REFUSED = {
  hs256: 'Under HS256 the key is tokens.shared_secret. Change it there and at every sibling.',
  withdraw: 'A key that replaces withdrawn ones has to sign at once. Send "at_once": true.',
  many: 'Twenty keys were made within an hour. Each is published: find out what makes them.',
  waiting: 'A key waits already, and signs within the minutes that caches need to learn it.',
} as const;

/** A program that repeats itself must not fill the JWKS and the table. */
const MAX_AN_HOUR = 20;
const HOUR_MS = 3_600_000;

/** @throws {Refusal} conflict: why no key can be made now */
function demandPossible(signingKeys: SigningKeys, rotation: Rotation, now: number): void {
  const { purpose, starts, olderKeys } = rotation;
  const refuse = (why: keyof typeof REFUSED): never => {
    throw new Refusal('conflict', { detail: REFUSED[why] });
  };
  if (purpose === 'access' && signingKeys.published().length === 0) refuse('hs256');
  if (olderKeys === 'withdraw' && starts === 'after_caches') refuse('withdraw');
  const keys = signingKeys.list().filter((key) => key.purpose === purpose);
  const recent = keys.filter(({ createdAt }) => createdAt > now - HOUR_MS);
  if (recent.length >= MAX_AN_HOUR) refuse('many');
  const waits = keys.some(
    ({ state, activatesAt }) => state === 'next' && activatesAt <= now + ROTATION_DELAY_MS,
  );
  if (starts === 'after_caches' && waits) refuse('waiting');
}

/** Its function throws {Refusal} conflict: the detail says why. */
export function rotateSigningKey({
  clock,
  signingKeys,
  commit,
}: Pick<Kernel, 'clock' | 'signingKeys' | 'commit'>) {
  return async (context: Context, rotation: Rotation): Promise<RotatedKey> => {
    const { purpose, starts, olderKeys } = rotation;
    const now = clock.now();
    demandPossible(signingKeys, rotation, now);
    const delayMs = starts === 'at_once' ? 0 : ROTATION_DELAY_MS;
    const kid = await signingKeys.rotate(purpose, delayMs, { withdraw: olderKeys === 'withdraw' });
    const record = recorded('signing_key.rotated', 'a signing key was made', {
      kid,
      ...(olderKeys === 'withdraw' ? { reason: 'withdrawn' } : {}),
    });
    await commit(context, [record]);
    const made = signingKeys.list().find((key) => key.kid === kid);
    return { kid, activatesAt: made?.activatesAt ?? now + delayMs };
  };
}
