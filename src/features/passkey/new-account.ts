/**
 * An account that is created with a passkey instead of a password. Its id is that of the challenge,
 * because the authenticator stores it with the passkey before there is an account.
 */
import * as z from 'zod';
import type { AccountCredential, FutureAccount } from '../../core/factor/factor.ts';
import { demandEmail, demandUsername } from '../../core/user/sign-in-name.ts';
import { newUser } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { text } from '../../http/fields.ts';
import { invalidRequest } from '../../refusal.ts';
import { presentedBy } from './assertion.ts';
import { beginCeremony, spendCeremony } from './ceremony.ts';
import type { BegunCeremony } from './ceremony.ts';
import { isBoundTo } from './challenge-token.ts';
import { AttestationJson, challengeIdText } from './credential-json.ts';
import { ceremonyIsOver, passkeyOf, recordOf, verifyNew } from './new-credential.ts';
import type { PasskeyKernel } from './settings.ts';
import { insertPasskey } from './store.ts';

/** The name for which it was started (W05). */
const bindingParts = ({ kind, canonical }: FutureAccount): readonly string[] => [kind, canonical];

export interface NewAccountName {
  readonly username?: string | undefined;
  readonly email?: string | undefined;
  readonly displayName: string | undefined;
}

export interface BegunAccount extends BegunCeremony {
  /** The future account, for the names that the authenticator shows. */
  readonly user: User;
}

/**
 * Starts creating an account with a passkey. The name is not looked up: whether it is free is
 * answered by the registration itself.
 *
 * Its function throws {Refusal} invalid_request.
 */
export function beginNewAccount(kernel: PasskeyKernel) {
  const accountOf = ({ username, email }: NewAccountName): FutureAccount => {
    if (username !== undefined) return { kind: 'username', canonical: demandUsername(username) };
    if (email !== undefined) return { kind: 'email', canonical: demandEmail(email) };
    const detail = 'Send a username, or an email address.';
    throw invalidRequest({ pointer: '', code: 'required', detail });
  };
  return (name: NewAccountName): BegunAccount => {
    const { username = null, email = null, displayName = null } = name;
    const begun = beginCeremony(kernel, 'new_account', bindingParts(accountOf(name)));
    return {
      ...begun,
      user: newUser({ id: begun.id, createdAt: 0, username, email, displayName }),
    };
  };
}

const Answer = z.strictObject({
  challenge_id: challengeIdText,
  credential: AttestationJson,
  name: text({ min: 1, max: 64 }).optional(),
});
type Answer = z.output<typeof Answer>;

const Stored = z.object({
  credentialId: z.string(),
  publicKey: z.string(),
  counter: z.number(),
  aaguid: z.string(),
  transports: z.array(z.string()),
  name: z.string(),
  backupEligible: z.number(),
  backedUp: z.number(),
});

export function passkeyAccount(kernel: PasskeyKernel): AccountCredential<Answer> {
  return {
    answer: Answer.meta({
      description: 'Instead of a password: what was made with POST /register/passkey/options.',
    }),
    verify: async (context, account, { challenge_id: challengeId, credential, name }) => {
      const challenge = await spendCeremony(kernel, 'new_account', challengeId);
      if (challenge === null || !isBoundTo(kernel, challenge, bindingParts(account)))
        throw ceremonyIsOver('/passkey');
      const made = await verifyNew(kernel, context, challenge, { credential, at: '/passkey' });
      return {
        presented: presentedBy(made),
        userId: challenge.id,
        record: { ...recordOf(made, credential, name) },
      };
    },
    statements: (userId, record) => [
      insertPasskey(passkeyOf(kernel, userId, Stored.parse(record))),
    ],
  };
}
