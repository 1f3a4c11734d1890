/** Renaming a passkey, and taking one away. */
import { NothingChanged } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { withoutMethods } from '../../core/factor/amr.ts';
import { afterRemoval, changeFactors } from '../../core/factor/factor-change.ts';
import type { Requester } from '../../core/session/requester.ts';
import type { Principal } from '../../core/session/session.ts';
import { letterName } from './registration.ts';
import type { PasskeyApp } from './relying-party.ts';
import {
  PASSKEY_NEEDED,
  deletePasskey,
  listPasskeys,
  renamePasskey as renameStatement,
} from './store.ts';
import type { Passkey } from './store.ts';

/** @throws {Refusal} not_found: also another user's (W08) */
export async function renamePasskey(
  app: PasskeyApp,
  { user }: Principal,
  id: string,
  name: string,
): Promise<Passkey> {
  const [[passkey]] = await app.db.write([renameStatement({ id, userId: user.id, name })]);
  if (passkey === undefined) throw new Refusal('not_found');
  return passkey;
}

/**
 * Takes a passkey away.
 *
 * @throws {Refusal} not_found: also another user's; last_sign_in_method, last_second_factor,
 *   conflict
 */
export async function removePasskey(
  app: PasskeyApp,
  principal: Principal,
  id: string,
  requester: Requester,
): Promise<void> {
  const { user, session } = principal;
  const own = await listPasskeys(app.db, user.id);
  const passkey = own.find((one) => one.id === id);
  if (passkey === undefined) throw new Refusal('not_found');
  const isLast = own.length === 1;
  const others = await Promise.all(
    app.factors
      .filter(({ name, demandsSecond }) => demandsSecond && name !== 'passkey')
      .map((factor) => factor.enrolled(user.id)),
  );
  try {
    const statements = [
      deletePasskey({ id, userId: user.id }),
      ...afterRemoval(app, user.id, !isLast || others.includes(true)),
    ];
    const amr = isLast ? withoutMethods(session.amr, ['hwk', 'swk', 'user']) : session.amr;
    await changeFactors(
      app,
      principal,
      {
        statements,
        amr,
        letter: 'factor_removed',
        factor: letterName(passkey),
        name: 'passkey',
        event: 'factor.removed',
      },
      requester,
    );
  } catch (error) {
    if (!(error instanceof NothingChanged) || error.guard !== PASSKEY_NEEDED) throw error;
    const isThere = (await listPasskeys(app.db, user.id)).some((one) => one.id === id);
    throw new Refusal(isThere ? 'last_sign_in_method' : 'not_found', { cause: error });
  }
}
