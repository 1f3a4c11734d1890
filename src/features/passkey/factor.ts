/** The passkey as a further factor: of a pending sign-in, or shown again within a session. */
import * as z from 'zod';
import type { FeatureFactor } from '../../app/capabilities.ts';
import { Refusal } from '../../refusal.ts';
import { MAX_CHALLENGE_TRIES, isChallengeOpen } from '../../core/factor/challenge.ts';
import type { Answer, Occasion, VerifiedFactor } from '../../core/factor/factor.ts';
import { isBoundTo } from './challenge-token.ts';
import { pendingSignIn } from '../../core/factor/pending-sign-in.ts';
import type { Requester } from '../../core/session/requester.ts';
import type { Principal } from '../../core/session/session.ts';
import type { User } from '../../core/user/user.ts';
import { AssertionJson } from '../../http/factor-answer.ts';
import { verifyPasskey } from './assertion.ts';
import { beginCeremony, spendCeremony } from './ceremony.ts';
import { accountNames, userHandleOf } from './options.ts';
import type { PasskeyApp } from './relying-party.ts';
import { PasskeyReply, passkeyReply } from './replies.ts';
import { findPasskeyByCredential, hasPasskey, listPasskeys } from './store.ts';
import type { BegunAssertion } from './sign-in.ts';

/** For which user, and for which pending sign-in or session. */
const bindingOf = (user: User, { kind, id }: Occasion): readonly string[] => [user.id, kind, id];

async function begin(app: PasskeyApp, user: User, occasion: Occasion): Promise<BegunAssertion> {
  const own = await listPasskeys(app.db, user.id);
  // Without any, empty options would have the authenticator offer those of others.
  if (own.length === 0) throw new Refusal('not_found', { detail: 'The account has no passkey.' });
  return {
    ...beginCeremony(app, 'second', bindingOf(user, occasion)),
    allow: own.map(({ credentialId, transports }) => ({ id: credentialId, transports })),
  };
}

/**
 * Begins to show a passkey as the further factor of a sign-in.
 *
 * @throws {Refusal} invalid_token: the pending sign-in is over; not_found: the user has no passkey
 */
export async function beginSecondFactor(app: PasskeyApp, token: string): Promise<BegunAssertion> {
  const { challenge, user } = await pendingSignIn(app, token);
  if (!(await isChallengeOpen(app.db, challenge.id, MAX_CHALLENGE_TRIES)))
    throw new Refusal('invalid_token');
  return begin(app, user, { kind: 'sign_in', id: challenge.id });
}

/**
 * Begins to show a passkey again within a session. @throws {Refusal} not_found: the user has none
 */
export async function beginAgain(
  app: PasskeyApp,
  { user, session }: Principal,
): Promise<BegunAssertion> {
  return begin(app, user, { kind: 'session', id: session.id });
}

/** @throws {Refusal} invalid_credentials */
async function verify(
  app: PasskeyApp,
  user: User,
  answer: Answer,
  occasion: Occasion,
  requester: Requester,
): Promise<VerifiedFactor> {
  if (answer.factor !== 'passkey') throw new Refusal('invalid_credentials');
  const challenge = await spendCeremony(app, 'second', answer.challengeId);
  const credential = AssertionJson.safeParse(answer.credential);
  if (
    challenge === null ||
    !credential.success ||
    !isBoundTo(app.keys.derivedKey, challenge, bindingOf(user, occasion))
  )
    throw new Refusal('invalid_credentials');
  const passkey = await findPasskeyByCredential(app.db, credential.data.id);
  return verifyPasskey(
    app,
    challenge,
    credential.data,
    passkey === null || passkey.userId !== user.id ? null : { passkey, user },
    'optional',
    requester,
  );
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
      'Arguments of PublicKeyCredential.signalAllAcceptedCredentials() and signalCurrentUserDetails(), which keep password managers true.',
  });

export function passkeyFactor(app: PasskeyApp): FeatureFactor {
  const rpId = app.relyingParty.id;
  return {
    name: 'passkey',
    kind: 'device',
    demandsSecond: true,
    enrolled: (userId) => hasPasskey(app.db, userId),
    verify: (user, answer, occasion, requester) => verify(app, user, answer, occasion, requester),
    listing: {
      shape: { passkeys: z.array(PasskeyReply), passkey_signals: Signals },
      list: async (user) => {
        const own = await listPasskeys(app.db, user.id);
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
