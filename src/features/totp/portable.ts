/** The seed of an authenticator app, as it moves between systems: base 32, as apps take it. */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import type { Portable } from '../../core/user/portable.ts';
import { sealPurpose } from './authenticators.ts';
import { base32, base32Bytes } from './code.ts';
import { findTotp, insertTotp } from './store.ts';

/** RFC 4226 §4 R6: 128 bits at least; the apps take no shorter one either. */
const MIN_BYTES = 16;
const MAX_BYTES = 64;

const Seed = z.string().superRefine((value, context) => {
  const bytes = base32Bytes(value);
  if (bytes !== null && bytes.length >= MIN_BYTES && bytes.length <= MAX_BYTES) return;
  context.addIssue({
    code: 'custom',
    message: `Write ${MIN_BYTES} to ${MAX_BYTES} bytes in base 32, of an app with SHA-1, six digits and 30 seconds.`,
    params: { code: 'invalid' },
  });
});

export function portableTotp({ db, sealer, clock }: Kernel): Portable<string> {
  return {
    name: 'totp_secret',
    schema: Seed,
    statements: (userId, value) => {
      const secret = base32Bytes(value) ?? new Uint8Array();
      const secretSealed = sealer.seal(sealPurpose(userId), secret);
      return [insertTotp({ userId, secretSealed, now: clock.now() })];
    },
    read: async (userId) => {
      const stored = await findTotp(db, userId);
      return stored && base32(sealer.open(sealPurpose(userId), stored.secretSealed));
    },
  };
}
