/** A passkey as the API shows it. */
import * as z from 'zod';
import { rfc3339, timestamp } from '../../http/fields.ts';
import type { Passkey } from './store.ts';

export const PasskeyReply = z
  .object({
    id: z.string(),
    name: z.string(),
    created_at: timestamp,
    last_used_at: timestamp.nullable(),
    backup_eligible: z.boolean().meta({ description: 'Whether it can be on several devices.' }),
    backed_up: z
      .boolean()
      .meta({ description: 'Whether it was on several devices when it was last used.' }),
    transports: z.array(z.string()),
    aaguid: z.string().meta({ description: 'The model of the authenticator, if it reports one.' }),
    clone_suspected: z.boolean().meta({
      description: 'It repeated an earlier signature counter, so it may have been copied.',
    }),
  })
  .meta({ id: 'Passkey' });

export function passkeyReply(passkey: Passkey): z.input<typeof PasskeyReply> {
  return {
    id: passkey.id,
    name: passkey.name,
    created_at: rfc3339(passkey.createdAt),
    last_used_at: passkey.lastUsedAt === null ? null : rfc3339(passkey.lastUsedAt),
    backup_eligible: passkey.backupEligible === 1,
    backed_up: passkey.backedUp === 1,
    transports: [...passkey.transports],
    aaguid: passkey.aaguid,
    clone_suspected: passkey.cloneSuspectedAt !== null,
  };
}
