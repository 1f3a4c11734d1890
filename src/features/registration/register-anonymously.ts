/** Creating an account that nobody can sign in to yet: a session, and a `sub` that stays. */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { markAnonymous } from '../../core/user/anonymous.ts';
import { insertUser, newUser } from '../../core/user/user.ts';
import type { Registered } from './register-by-username.ts';
import type { Profile } from './settings.ts';

const NO_NAMES = { usernameCanonical: null, emailCanonical: null, pendingEmailCanonical: null };

/** Its function throws {Refusal} overloaded: there are `most` of them. */
export function registerAnonymously(kernel: Kernel, { most }: { readonly most: number }) {
  return async (context: Context, profile: Profile): Promise<Registered> => {
    const { displayName, userMetadata = {} } = profile;
    const now = kernel.clock.now();
    const id = kernel.newId();
    const values = { displayName: displayName ?? null, userMetadata, anonymousAt: now };
    const user = newUser({ id, createdAt: now, ...values });
    const event = { 'user.id': id, factor: 'anonymous' };
    const statements = [
      insertUser(user, NO_NAMES, 'conflict'),
      markAnonymous({ id, now, most }),
      recorded('user.registered', 'an account was registered', event),
    ];
    const authentication = await kernel.authentication.startAnonymous(context, user, statements);
    return { user, authentication };
  };
}
