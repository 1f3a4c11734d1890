/** Signing in with a passkey, with or without a name. Every failure gets the same answer. */
import type { Context } from '../../core/context.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { findUserById } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { Refusal } from '../../refusal.ts';
import { verifyPasskey } from './assertion.ts';
import type { PresentedAssertion } from './assertion.ts';
import { beginCeremony, spendCeremony } from './ceremony.ts';
import type { BegunAssertion } from './ceremony.ts';
import { isBoundTo } from './challenge-token.ts';
import type { PasskeyChallenge } from './challenge-token.ts';
import type { AssertionJson } from './credential-json.ts';
import type { PasskeyKernel } from './settings.ts';
import { findPasskeyByCredential } from './store.ts';
import type { Passkey } from './store.ts';
import { isCredentialId } from './verification.ts';

/** The binding of a sign-in that started with a name. */
const bindingParts = (name: string): readonly string[] => [parseSignInName(name).canonical];

/**
 * Starts a sign-in. A name is not looked up, and no credentials are listed for it: passkeys here
 * are discoverable, and a list would reveal whether the account exists (E04).
 */
export function beginSignIn(kernel: PasskeyKernel) {
  return (_context: Context, username: string | undefined): BegunAssertion => {
    const binding = username === undefined ? null : bindingParts(username);
    return { ...beginCeremony(kernel, 'sign_in', binding), allow: [] };
  };
}

/** Whether a challenge is bound to one of a user's names. */
function isFor(kernel: PasskeyKernel, challenge: PasskeyChallenge, user: User | null): boolean {
  const names = user === null ? [] : [user.username, user.email];
  return names.some((name) => name !== null && isBoundTo(kernel, challenge, bindingParts(name)));
}

export interface PasskeySignIn {
  readonly challengeId: string;
  readonly credential: AssertionJson;
}

/**
 * Signs in with a passkey.
 *
 * Its function throws {Refusal} invalid_credentials, with `unknown_credential` when the service
 * never registered that one; account_disabled and password_change_required only after a correct
 * one.
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
    // A sign-in that started with a name is for that account only (W05).
    const isFree = challenge.binding === null;
    const isTheirs = isFree || isFor(kernel, challenge, user);
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
 * The refusal of a credential without an account: it names the credential, so that the page can
 * tell the password manager to remove it.
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-signalUnknownCredential
 */
function withoutAccount(
  { passkeys }: PasskeyKernel,
  credentialId: string,
  error: unknown,
): unknown {
  if (!(error instanceof Refusal) || error.code !== 'invalid_credentials') return error;
  if (!isCredentialId(credentialId)) return error;
  return new Refusal('invalid_credentials', {
    ...error.options,
    members: { unknown_credential: { rpId: passkeys.relyingParty.id, credentialId } },
    cause: error,
  });
}
