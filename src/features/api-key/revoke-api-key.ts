/** Revokes an API key: it is refused from the next request on, in every process. */
import { revokeApiKey as revocation } from '../../core/api-key/api-key.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';

/** Its function throws {Refusal} not_found: no valid key has this id or name. */
export function revokeApiKey({ clock, commit }: Pick<Kernel, 'clock' | 'commit'>) {
  return async (
    context: Context,
    idOrName: string,
  ): Promise<{ readonly id: string; readonly name: string }> => {
    const revoked = revocation(idOrName, clock.now());
    const [key] = (await commit(context, [revoked])).rowsOf(revoked);
    if (key === undefined) throw new Error('a guard let no row pass');
    context.log.write('info', 'api_key.revoked', 'an API key was revoked', {
      'api_key.subject': key.id,
    });
    return key;
  };
}
