/** Signing in with a passkey, with or without a name. One answer for whatever is wrong. */
import { Refusal } from '../../refusal.ts';
import { completeFactor } from '../../core/factor/authentication.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { isBoundTo } from './challenge-token.ts';
import type { Requester } from '../../core/session/requester.ts';
import { findUserById, findUserBySignInName } from '../../core/user/user.ts';
import { verifyPasskey } from './assertion.ts';
import { beginCeremony, spendCeremony } from './ceremony.ts';
import type { BegunCeremony } from './ceremony.ts';
import type { AssertionJson } from './credential-json.ts';
import { decoysFor, isDecoy } from './decoy.ts';
import type { Descriptor } from './decoy.ts';
import type { PasskeyApp } from './relying-party.ts';
import { findPasskeyByCredential, listPasskeys } from './store.ts';
import { isCredentialId } from './verification.ts';

export interface BegunAssertion extends BegunCeremony {
  readonly allow: readonly Descriptor[];
}

/**
 * Begins a sign-in. A name gets credentials whether or not anybody has it, and whether or not they
 * have any (E04).
 */
export async function beginSignIn(
  app: PasskeyApp,
  username: string | undefined,
): Promise<BegunAssertion> {
  if (username === undefined) return { ...beginCeremony(app, 'sign_in', null), allow: [] };
  const name = parseSignInName(username);
  const user = await findUserBySignInName(app.db, name);
  // Nobody's are looked up too: a read less would tell.
  const own = await listPasskeys(app.db, user?.id ?? '');
  const decoys = decoysFor(app.keys.derivedKey, name.canonical);
  // A disabled account shows what it has: that it was disabled is told after a right answer alone.
  const allow =
    own.length > 0
      ? own.map(({ credentialId, transports }) => ({ id: credentialId, transports }))
      : decoys;
  return { ...beginCeremony(app, 'sign_in', [user?.id ?? 'nobody']), allow };
}

/**
 * Signs in with a passkey.
 *
 * @throws {Refusal} invalid_credentials, with `unknown_credential` when the service never gave that
 *   one out; account_disabled, password_change_required after a right one only
 */
export async function signInWithPasskey(
  app: PasskeyApp,
  input: { challengeId: string; credential: AssertionJson },
  requester: Requester,
): Promise<Authentication> {
  const { challengeId, credential } = input;
  let userId: string | undefined;
  try {
    const challenge = await spendCeremony(app, 'sign_in', challengeId);
    if (challenge === null) throw new Refusal('invalid_credentials');
    const passkey = await findPasskeyByCredential(app.db, credential.id);
    const user = await findUserById(app.db, passkey?.userId ?? '');
    userId = user?.id;
    // Begun for a name, it is that account's alone (W05).
    const isTheirs =
      challenge.binding === null ||
      isBoundTo(app.keys.derivedKey, challenge, [user?.id ?? 'nobody']);
    const owned = passkey === null || user === null || !isTheirs ? null : { passkey, user };
    try {
      return await completeFactor(
        app,
        await verifyPasskey(
          app,
          challenge,
          credential,
          owned,
          challenge.binding === null ? 'required' : 'optional',
          requester,
        ),
        requester,
      );
    } catch (error) {
      throw passkey === null && error instanceof Refusal && error.code === 'invalid_credentials'
        ? unknown(app, credential.id, error)
        : error;
    }
  } catch (error) {
    if (error instanceof Refusal) {
      app.log.write('info', 'sign_in.failed', 'a sign-in was refused', {
        request_id: requester.requestId,
        'client.address': requester.ip,
        ...(userId === undefined ? {} : { 'user.id': userId }),
        factor: 'passkey',
        'error.type': error.code,
      });
    }
    throw error;
  }
}

/**
 * The refusal of a credential that nobody has. A decoy gets what a real one gets; of one that never
 * came from here the page is told, so that it can have the password manager forget it.
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-signalUnknownCredential
 */
function unknown(app: PasskeyApp, credentialId: string, refusal: Refusal): Refusal {
  if (!isCredentialId(credentialId) || isDecoy(app.keys.derivedKey, credentialId)) return refusal;
  return new Refusal('invalid_credentials', {
    members: { unknown_credential: { rpId: app.relyingParty.id, credentialId } },
    cause: refusal,
  });
}
