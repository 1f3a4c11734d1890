/** Completing a registration by email: with the code, or with the link and the password. */
import { recorded } from '../../core/audit/audited-event.ts';
import { addressSubject } from '../../core/attempt/address-subject.ts';
import { ANYBODY } from '../../core/attempt/attempts.ts';
import type { AttemptKey } from '../../core/attempt/attempts.ts';
import type { Context } from '../../core/context.ts';
import type { PresentedFactor } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import { spendOneTime } from '../../core/one-time/one-time.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import { insertPassword } from '../../core/password/credential.ts';
import { normalizePassword } from '../../core/password/policy.ts';
import { PRESENTED_PASSWORD, hashJob, hashShare } from '../../core/password/passwords.ts';
import { insertUser, newUser } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { Refusal } from '../../refusal.ts';
import { openContent } from './pending.ts';
import type { RegistrationContent } from './pending.ts';
import type { Registered } from './register-by-username.ts';

/** Both prove access to the mailbox and that it is the person who registered. */
export type RegistrationProof =
  | { readonly kind: 'code'; readonly registrationId: string; readonly code: string }
  | { readonly kind: 'link'; readonly token: string; readonly password: string };

/** What the code of the email proves. */
const PRESENTED_MAILBOX: PresentedFactor = { factor: 'email_code', kind: 'mailbox', amr: ['otp'] };

interface Chosen {
  readonly userId: string;
  readonly presented: PresentedFactor;
  readonly statements: readonly Statement[];
  readonly recoveryCodes: readonly string[];
}

interface Verified {
  readonly pending: OneTime;
  readonly forget: Statement;
}

/**
 * Creates the account of a registration whose address is verified, and signs it in, in one commit.
 *
 * Its function throws {Refusal} invalid_code, token_spent_or_expired, invalid_credentials,
 * passkey_registered, too_many_attempts, overloaded.
 */
export function verifyRegistration(kernel: Kernel) {
  const { attempts, oneTimes, passwordHasher } = kernel;

  /**
   * Codes are counted over all registrations of an address, because anybody can start one (O06),
   * and separately for each network, so that a stranger's guesses don't lock the owner out (L02).
   */
  const addressKey = ({ requester }: Context, canonical: string): AttemptKey => ({
    purpose: 'registration_code',
    subject: addressSubject(kernel, requester, canonical),
    ownerUserId: null,
    scope: ANYBODY,
  });

  const look = async (
    context: Context,
    registrationId: string,
    code: string,
    pending: OneTime | null,
  ): Promise<OneTime> => {
    const job = hashJob(context, hashShare('registration_code', registrationId));
    const { ok } = await passwordHasher.verify(pending?.codeHash ?? null, code, job);
    if (!ok || pending === null) throw new Refusal('invalid_code');
    return pending;
  };

  const byCode = async (
    context: Context,
    { registrationId, code }: RegistrationProof & { kind: 'code' },
  ): Promise<Verified> => {
    const pending = await oneTimes.countTry('registration', registrationId);
    // For an unknown registration nothing is counted, and the same work is done.
    if (pending === null) throw await rejected(look(context, registrationId, code, null));
    try {
      const key = addressKey(context, pending.subject ?? '');
      const { forget } = await attempts.guard(key, () =>
        look(context, registrationId, code, pending),
      );
      return { pending, forget };
    } catch (error) {
      const isWrong = error instanceof Refusal && error.code === 'invalid_code';
      if (!isWrong) await oneTimes.giveTryBack(registrationId);
      throw error;
    }
  };

  const byLink = async (
    context: Context,
    { token, password }: RegistrationProof & { kind: 'link' },
  ): Promise<Verified> => {
    const pending = await oneTimes.findByToken('registration', token);
    if (pending === null) throw new Refusal('token_spent_or_expired');
    const purpose = 'registration_link';
    const subject = pending.id;
    const { forget } = await attempts.guard(
      { purpose, subject, ownerUserId: null, scope: ANYBODY },
      async () => {
        const normalized = normalizePassword(password);
        const { passwordHash } = openContent(kernel, pending);
        const stored = normalized === null ? null : passwordHash;
        const job = hashJob(context, hashShare(purpose, subject));
        const { ok } = await passwordHasher.verify(stored, normalized ?? 'not a password', job);
        if (!ok) throw new Refusal('invalid_credentials');
      },
    );
    return { pending, forget };
  };

  /** The password or the credential that was chosen, and what the new session presents. */
  const chosenBy = async (context: Context, content: RegistrationContent): Promise<Chosen> => {
    const { passwordHash, credential } = content;
    if (credential === null) {
      const userId = kernel.newId();
      const now = kernel.clock.now();
      return {
        userId,
        presented: PRESENTED_PASSWORD,
        statements: passwordHash === null ? [] : [insertPassword({ userId, passwordHash, now })],
        recoveryCodes: [],
      };
    }
    const { userId, record } = credential;
    const factor = kernel.factors.active.find(({ name }) => name === credential.factor);
    // Switched off since.
    if (factor?.accountCredential === undefined) throw new Refusal('invalid_code');
    const backup = await kernel.factors.renewBackup(context, userId);
    return {
      userId,
      // The credential was presented when the registration began, which may be long ago.
      presented: PRESENTED_MAILBOX,
      statements: [...factor.accountCredential.statements(userId, record), ...backup.statements],
      recoveryCodes: backup.codes,
    };
  };

  return async (context: Context, proof: RegistrationProof): Promise<Registered> => {
    const isCode = proof.kind === 'code';
    const { pending, forget } = await (isCode ? byCode(context, proof) : byLink(context, proof));
    const content = openContent(kernel, pending);
    const { email, displayName, userMetadata } = content;
    const canonical = canonicalEmail(email);
    if (canonical === null || canonical !== pending.subject) {
      throw new Error('a registration of another address');
    }
    const now = kernel.clock.now();
    const chosen = await chosenBy(context, content);
    const profile = { email, displayName, userMetadata };
    const user = newUser({ id: chosen.userId, createdAt: now, ...profile });
    const names = {
      usernameCanonical: null,
      emailCanonical: canonical,
      pendingEmailCanonical: null,
    };
    // Another request spent it, or another account verified the address first.
    const over = isCode ? 'invalid_code' : 'token_spent_or_expired';
    const effects = [
      spendOneTime(pending.id, now, over),
      insertUser(user, names, over),
      ...chosen.statements,
      forget,
      recorded('user.registered', 'an account was registered', { 'user.id': user.id }),
    ];
    const verified = { ...chosen.presented, user, effects };
    const authentication = await kernel.authentication.completeFactor(context, verified);
    return { user, authentication, recoveryCodes: chosen.recoveryCodes };
  };
}

/** The rejection of a promise that can't succeed. */
async function rejected(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return new Error('what had to be refused was not');
}
