/** The passkey as a further factor: in a pending sign-in, or for reauthentication. */
import * as z from 'zod';
import type { Context, PrincipalContext } from '../../core/context.ts';
import { MAX_CHALLENGE_TRIES } from '../../core/factor/challenge.ts';
import type { Factor, FactorRecords, Occasion } from '../../core/factor/factor.ts';
import { signInIsOver } from '../../core/factor/pending-sign-in.ts';
import type { Kernel } from '../../core/kernel.ts';
import type { Statement } from '../../db/database.ts';
import type { User } from '../../core/user/user.ts';
import { Refusal } from '../../refusal.ts';
import { descriptorOf } from './add-passkey.ts';
import { verifyPasskey } from './assertion.ts';
import { beginCeremony, spendCeremony } from './ceremony.ts';
import type { BegunAssertion } from './ceremony.ts';
import { isBoundTo } from './challenge-token.ts';
import { PasskeyAnswer } from './credential-json.ts';
import { passkeyAccount } from './new-account.ts';
import { accountNames, userHandleOf } from './options.ts';
import { PasskeyReply, passkeyReply } from './replies.ts';
import type { PasskeyKernel } from './settings.ts';
import {
  findPasskeyByCredential,
  hasPasskey,
  isAnyPasskey,
  listPasskeys,
  prepareRemoveAll,
} from './store.ts';

/** The user, and the pending sign-in or session. */
const bindingParts = (user: User, { kind, id }: Occasion): readonly string[] => [user.id, kind, id];

async function begin(
  kernel: PasskeyKernel,
  user: User,
  occasion: Occasion,
): Promise<BegunAssertion> {
  const own = await listPasskeys(kernel.db, user.id);
  // With an empty list, the authenticator would offer passkeys of other accounts.
  if (own.length === 0) throw new Refusal('not_found', { detail: 'The account has no passkey.' });
  const begun = beginCeremony(kernel, 'second', bindingParts(user, occasion));
  return { ...begun, allow: own.map(descriptorOf) };
}

/**
 * Starts presenting a passkey as the further factor of a sign-in.
 *
 * Its function throws {Refusal} invalid_token: the pending sign-in has ended; not_found: the user
 * has no passkey.
 */
export function beginSecondFactor(kernel: PasskeyKernel) {
  return async (_context: Context, challengeToken: string): Promise<BegunAssertion> => {
    const { challenge, user } = await kernel.findPendingSignIn(challengeToken);
    if (!(await kernel.challenges.isOpen(challenge.id, MAX_CHALLENGE_TRIES))) {
      throw signInIsOver();
    }
    return begin(kernel, user, { kind: 'sign_in', id: challenge.id });
  };
}

/**
 * Starts presenting a passkey again within a session. Its function throws {Refusal} not_found: the
 * user has none.
 */
export function beginAgain(kernel: PasskeyKernel) {
  return ({ principal: { user, session } }: PrincipalContext): Promise<BegunAssertion> =>
    begin(kernel, user, { kind: 'session', id: session.id });
}

const Signals = z
  .object({
    all_accepted_credentials: z.object({
      rpId: z.string(),
      userId: z.string(),
      allAcceptedCredentialIds: z.array(z.string()),
    }),
    current_user_details: z.object({
      rpId: z.string(),
      userId: z.string(),
      name: z.string(),
      displayName: z.string(),
    }),
  })
  .meta({
    id: 'PasskeySignals',
    description:
      'Arguments of PublicKeyCredential.signalAllAcceptedCredentials() and signalCurrentUserDetails(), which keep password managers up to date.',
  });

export function passkeyRecords({ db, signInMethods }: Kernel): FactorRecords {
  let removeAll: ((userId: string) => Statement) | undefined;
  return {
    name: 'passkey',
    section: 'passkeys',
    // An operator's removal keeps those of a user who could not sign in without them.
    removeAll: (userId) => {
      removeAll ??= prepareRemoveAll(signInMethods.anyBeside('passkey'));
      return [removeAll(userId)];
    },
    inUse: () => isAnyPasskey(db),
  };
}

export function passkeyFactor(kernel: PasskeyKernel): Factor<PasskeyAnswer> {
  const { db } = kernel;
  const { id: rpId } = kernel.passkeys.relyingParty;
  return {
    ...passkeyRecords(kernel),
    kind: 'device',
    demandsSecond: true,
    attemptPurpose: 'unguessable_factor',
    accountCredential: passkeyAccount(kernel),
    answer: PasskeyAnswer,
    enrolled: (userId) => hasPasskey(db, userId),
    verify: async (context, user, answer, occasion) => {
      const challenge = await spendCeremony(kernel, 'second', answer.challenge_id);
      if (challenge === null || !isBoundTo(kernel, challenge, bindingParts(user, occasion))) {
        throw new Refusal('invalid_credentials');
      }
      const { credential } = answer;
      const passkey = await findPasskeyByCredential(db, credential.id);
      const owned = passkey?.userId === user.id ? { passkey, user } : null;
      return verifyPasskey(kernel, context, { challenge, credential, owned, handle: 'optional' });
    },
    listing: {
      shape: { passkeys: z.array(PasskeyReply), passkey_signals: Signals },
      list: async (user) => {
        const own = await listPasskeys(db, user.id);
        const userId = userHandleOf(user.id);
        return {
          passkeys: own.map(passkeyReply),
          passkey_signals: {
            all_accepted_credentials: {
              rpId,
              userId,
              allAcceptedCredentialIds: own.map(({ credentialId }) => credentialId),
            },
            current_user_details: { rpId, userId, ...accountNames(user) },
          },
        };
      },
    },
  };
}
