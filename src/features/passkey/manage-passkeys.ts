/** Renaming a passkey, and removing one. */
import type { PrincipalContext } from '../../core/context.ts';
import { withoutFactor } from '../../core/factor/presented.ts';
import { Refusal } from '../../refusal.ts';
import { labelOf } from './add-passkey.ts';
import type { PasskeyKernel } from './settings.ts';
import { deletePasskey, listPasskeys, renamePasskey as renameStatement } from './store.ts';
import type { Passkey } from './store.ts';

/** Renames a passkey. Its function throws {Refusal} not_found: also for another user's (W08). */
export function renamePasskey({ commit }: PasskeyKernel) {
  return async (
    context: PrincipalContext,
    { id, name }: { readonly id: string; readonly name: string },
  ): Promise<Passkey> => {
    const renaming = renameStatement({ id, userId: context.principal.user.id, name });
    const [passkey] = (await commit(context, [renaming])).rowsOf(renaming);
    if (passkey === undefined) throw new Refusal('not_found');
    return passkey;
  };
}

/**
 * Removes a passkey.
 *
 * Its function throws {Refusal} not_found: also for another user's; last_sign_in_method,
 * last_second_factor, conflict, session_revoked.
 */
export function removePasskey({ db, factors, signInMethods }: PasskeyKernel) {
  return async (context: PrincipalContext, id: string): Promise<void> => {
    const { user, session } = context.principal;
    const own = await listPasskeys(db, user.id);
    const passkey = own.find((one) => one.id === id);
    if (passkey === undefined) throw new Refusal('not_found');
    const isLast = own.length === 1;
    await factors.change(context, {
      statements: [
        deletePasskey({ id, userId: user.id }),
        signInMethods.demandOne(user.id),
        ...(isLast ? await factors.withRemovalOf(user.id, 'passkey') : []),
      ],
      presented: isLast ? withoutFactor(session.factors, 'passkey') : session.factors,
      template: 'factor_removed',
      label: labelOf(passkey),
      factor: 'passkey',
      event: 'factor.removed',
    });
  };
}
