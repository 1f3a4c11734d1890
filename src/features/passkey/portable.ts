/**
 * Passkeys as they move between systems. They work only under the domain that they were made for
 * (`passkeys.rp_id`), and name their owner by the handle that the other system gave them.
 */
import * as z from 'zod';
import type { Kernel } from '../../core/kernel.ts';
import type { Portable } from '../../core/user/portable.ts';
import { text } from '../../http/fields.ts';
import { decodeBase64url } from '../../lib/base64url.ts';
import { MAX_CREDENTIAL_ID_BYTES, isStoredKey } from './authenticator-data.ts';
import { MAX_PASSKEYS, insertPasskey, listPasskeys } from './store.ts';
import type { Passkey } from './store.ts';

const MAX_COUNTER = 2 ** 32 - 1;
const MAX_HANDLE_BYTES = 64;
const NO_AAGUID = '00000000-0000-0000-0000-000000000000';

const bytesUpTo = (most: number) =>
  z.string().refine((value) => {
    const bytes = decodeBase64url(value);
    return bytes !== undefined && bytes.length > 0 && bytes.length <= most;
  });

const PasskeyLine = z.strictObject({
  credential_id: bytesUpTo(MAX_CREDENTIAL_ID_BYTES),
  public_key: z.string().refine((value) => {
    const bytes = decodeBase64url(value);
    return bytes !== undefined && isStoredKey(bytes);
  }),
  user_handle: bytesUpTo(MAX_HANDLE_BYTES).nullish(),
  sign_count: z.number().int().min(0).max(MAX_COUNTER).default(0),
  transports: z
    .array(z.string().regex(/^[a-z][a-z-]{0,30}$/))
    .max(10)
    .default([]),
  name: text({ min: 1, max: 64 }).default('Passkey'),
  aaguid: z
    .string()
    .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    .default(NO_AAGUID),
  backup_eligible: z.boolean(),
  backed_up: z.boolean(),
});

type Line = z.output<typeof PasskeyLine>;

const lineOf = (passkey: Passkey): Line => ({
  credential_id: passkey.credentialId,
  public_key: passkey.publicKey,
  user_handle: passkey.userHandle,
  sign_count: passkey.counter,
  transports: [...passkey.transports],
  name: passkey.name,
  aaguid: passkey.aaguid,
  backup_eligible: passkey.backupEligible === 1,
  backed_up: passkey.backedUp === 1,
});

export function portablePasskeys({ db, newId, clock }: Kernel): Portable<Line[]> {
  return {
    name: 'passkeys',
    schema: z.array(PasskeyLine).max(MAX_PASSKEYS),
    statements: (userId, lines) =>
      lines.map((line) => {
        const statement = insertPasskey({
          id: newId(),
          userId,
          credentialId: line.credential_id,
          publicKey: line.public_key,
          userHandle: line.user_handle ?? null,
          counter: line.sign_count,
          transports: line.transports,
          name: line.name,
          aaguid: line.aaguid,
          backupEligible: line.backup_eligible ? 1 : 0,
          backedUp: line.backed_up ? 1 : 0,
          createdAt: clock.now(),
          lastUsedAt: null,
          cloneSuspectedAt: null,
        });
        return { ...statement, conflictOn: 'passkey.credential_id' };
      }),
    read: async (userId) => {
      const own = await listPasskeys(db, userId);
      return own.length === 0 ? null : own.map(lineOf);
    },
  };
}
