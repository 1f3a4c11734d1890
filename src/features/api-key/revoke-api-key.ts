/** Revokes an API key: it is refused from the next request on, in every process. */
import { recorded } from '../../core/audit/audited-event.ts';
import { listApiKeys, revokeApiKey as revocation } from '../../core/api-key/api-key.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { Refusal } from '../../refusal.ts';

/** Its function throws {Refusal} not_found: no valid key has this id or name. */
export function revokeApiKey({ db, clock, commit }: Pick<Kernel, 'db' | 'clock' | 'commit'>) {
  return async (
    context: Context,
    idOrName: string,
  ): Promise<{ readonly id: string; readonly name: string }> => {
    const known = (await listApiKeys(db)).find(
      ({ id, name, revokedAt }) => revokedAt === null && (id === idOrName || name === idOrName),
    );
    if (known === undefined) throw new Refusal('not_found');
    const revoked = revocation(known.id, clock.now());
    const record = recorded('api_key.revoked', 'an API key was revoked', {
      'api_key.subject': known.id,
    });
    const [key = known] = (await commit(context, [revoked, record])).rowsOf(revoked);
    return key;
  };
}
