/** Signing in with a passkey, with or without a name. One answer for whatever is wrong. */
import type { Context } from '../../core/context.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { findUserById, findUserBySignInName } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { Refusal } from '../../refusal.ts';
import { descriptorOf } from './add-passkey.ts';
import { verifyPasskey } from './assertion.ts';
import type { PresentedAssertion } from './assertion.ts';
import { beginCeremony, spendCeremony } from './ceremony.ts';
import type { BegunAssertion } from './ceremony.ts';
import { isBoundTo } from './challenge-token.ts';
import type { AssertionJson } from './credential-json.ts';
import { decoysFor, isDecoy } from './decoy.ts';
import type { PasskeyKernel } from './settings.ts';
import { findPasskeyByCredential, listPasskeys } from './store.ts';
import type { Passkey } from './store.ts';
import { isCredentialId } from './verification.ts';

/** What a sign-in for a name is bound to: its account, or that there is none. */
const bindingParts = (user: User | null): readonly string[] => [user?.id ?? 'nobody'];

/**
 * Begins a sign-in. A name gets credentials whether or not it has an account, and whether or not
 * that has any (E04).
 */
export function beginSignIn(kernel: PasskeyKernel) {
  return async (_context: Context, username: string | undefined): Promise<BegunAssertion> => {
    if (username === undefined) return { ...beginCeremony(kernel, 'sign_in', null), allow: [] };
    const name = parseSignInName(username);
    const user = await findUserBySignInName(kernel.db, name);
    // Those of no user are looked up too: one read less would tell.
    const own = await listPasskeys(kernel.db, user?.id ?? '');
    const decoys = decoysFor(kernel.signingKeys.derivedKey, name.canonical);
    // A disabled account shows what it has: that it is disabled is told after a right answer alone.
    const allow = own.length > 0 ? own.map(descriptorOf) : decoys;
    return { ...beginCeremony(kernel, 'sign_in', bindingParts(user)), allow };
  };
}

export interface PasskeySignIn {
  readonly challengeId: string;
  readonly credential: AssertionJson;
}

/**
 * Signs in with a passkey.
 *
 * Its function throws {Refusal} invalid_credentials, with `unknown_credential` when the service
 * never issued that one; account_disabled, password_change_required after a right one only.
 */
export function signInWithPasskey(kernel: PasskeyKernel) {
  const verify = async (
    context: Context,
    { challengeId, credential }: PasskeySignIn,
    attempted: (userId: string) => void,
  ): Promise<Authentication> => {
    const challenge = await spendCeremony(kernel, 'sign_in', challengeId);
    if (challenge === null) throw new Refusal('invalid_credentials');
    const passkey = await findPasskeyByCredential(kernel.db, credential.id);
    const user = await findUserById(kernel.db, passkey?.userId ?? '');
    if (user !== null) attempted(user.id);
    // Begun for a name, it is that account's alone (W05).
    const isFree = challenge.binding === null;
    const isTheirs = isFree || isBoundTo(kernel, challenge, bindingParts(user));
    const owned = isTheirs ? ownedBy(user, passkey) : null;
    const handle = isFree ? 'required' : 'optional';
    try {
      const assertion = { challenge, credential, owned, handle } as const;
      const verified = await verifyPasskey(kernel, context, assertion);
      return await kernel.authentication.completeFactor(context, verified);
    } catch (error) {
      throw passkey === null ? withoutAccount(kernel, credential.id, error) : error;
    }
  };

  return async (context: Context, input: PasskeySignIn): Promise<Authentication> => {
    let userId: string | undefined;
    try {
      return await verify(context, input, (id) => (userId = id));
    } catch (error) {
      if (error instanceof Refusal) {
        context.log.write('info', 'sign_in.failed', 'a sign-in was refused', {
          ...(userId === undefined ? {} : { 'user.id': userId }),
          factor: 'passkey',
          'error.type': error.code,
        });
      }
      throw error;
    }
  };
}

function ownedBy(user: User | null, passkey: Passkey | null): PresentedAssertion['owned'] {
  return passkey === null || user === null ? null : { passkey, user };
}

/**
 * The error of a credential without an account. A decoy gets what a real one gets; of one that
 * never came from here the page is told, so that it can have the password manager forget it.
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-signalUnknownCredential
 */
function withoutAccount(
  { signingKeys, passkeys }: PasskeyKernel,
  credentialId: string,
  error: unknown,
): unknown {
  if (!(error instanceof Refusal) || error.code !== 'invalid_credentials') return error;
  if (!isCredentialId(credentialId) || isDecoy(signingKeys.derivedKey, credentialId)) return error;
  return new Refusal('invalid_credentials', {
    ...error.options,
    members: { unknown_credential: { rpId: passkeys.relyingParty.id, credentialId } },
    cause: error,
  });
}
