/**
 * What goes with every change of a user's factors, in one commit with it: the other sessions end,
 * what was begun is void, the user is told, and the session's level follows what is left (G9, ASVS
 * 6.3.7, 7.4.3).
 */
import { NothingChanged } from '../../db/database.ts';
import { raw } from '../../db/prepare.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import type { AuthenticationDeps } from './authentication-deps.ts';
import type { FactorName } from './factor.ts';
import { tell } from '../email/email.ts';
import type { MailDeps } from '../email/email.ts';
import { voidOneTimes } from '../one-time/one-time.ts';
import type { LetterName } from '../email/outbox.ts';
import { removeRecoveryCodes } from './recovery-code.ts';
import type { Requester } from '../session/requester.ts';
import { writeAs } from '../session/session-commit.ts';
import { secondBucket } from './second-factor.ts';
import { USER_STATE_MOVED, endSessions, setSessionAmr, writeEndings } from '../session/session.ts';
import type { Principal } from '../session/session.ts';
import { resetAllThrottles } from '../attempt/attempt.ts';
import { advanceEpoch, advanceEpochIf, dropPendingAddress, setMfaDue } from '../user/user.ts';
import type { User } from '../user/user.ts';

export interface FactorChange {
  /** What the change itself writes. Its guards are the caller's. */
  readonly statements: readonly Statement[];
  /** The methods of the present session after it. */
  readonly amr: readonly string[];
  readonly letter: LetterName;
  /** The factor in words, for the letter; its user may have named it. */
  readonly factor: string;
  /** Which factor, for the log. */
  readonly name: FactorName;
  readonly event: 'factor.added' | 'factor.removed' | 'factor.renewed';
}

/**
 * Commits a change of factors by the user, in the state that the request was authorised in.
 *
 * @throws {Refusal} conflict: password, factors or address changed meanwhile; session_revoked
 */
export async function changeFactors(
  deps: AuthenticationDeps & MailDeps & { wakeCourier(): void },
  principal: Principal,
  change: FactorChange,
  requester: Requester,
): Promise<void> {
  const { user, session } = principal;
  const now = deps.clock.now();
  try {
    await writeAs(deps, principal, [
      ...change.statements,
      advanceEpochIf(user.id, user.epoch, USER_STATE_MOVED, now),
      ...(change.event === 'factor.added' ? [setMfaDue(user.id, null)] : []),
      voidOneTimes(user.id, now),
      ...dropPendingAddress(user, now),
      ...endSessions(
        { kind: 'others', userId: user.id, except: session.id },
        'factors_changed',
        now,
      ),
      setSessionAmr(session.id, change.amr),
      ...tell(
        deps,
        change.letter,
        user.email,
        { factor: change.factor, address: requester.ip ?? 'unknown' },
        requester,
      ),
    ]);
    deps.wakeCourier();
    deps.log.write('info', change.event, 'the factors of a user changed', {
      request_id: requester.requestId,
      'user.id': user.id,
      'session.id': session.id,
      'client.address': requester.ip,
      factor: change.name,
    });
  } catch (error) {
    if (error instanceof NothingChanged && error.guard === USER_STATE_MOVED)
      throw new Refusal('conflict', { cause: error });
    throw error;
  }
}

/**
 * The statements that belong to the removal of a factor which may be the last one: recovery codes
 * stand in for a factor, and without one for nothing.
 *
 * @param remaining whether the user still has a factor that asks for a second
 * @throws {Refusal} last_second_factor: the policy asks everybody for one
 */
export function afterRemoval(
  deps: Pick<AuthenticationDeps, 'policy'>,
  userId: string,
  remaining: boolean,
): readonly Statement[] {
  if (remaining) return [];
  if (deps.policy.mfa.required === 'all') throw new Refusal('last_second_factor');
  return [removeRecoveryCodes(userId)];
}

const EVERYTHING = [
  ...['totp', 'totp_enrolment', 'recovery_code'].map((table) =>
    raw(`DELETE FROM ${table} WHERE user_id = :userId`),
  ),
  // Where they are the only way in, they stay.
  raw(
    'DELETE FROM passkey WHERE user_id = :userId AND EXISTS (SELECT 1 FROM password_credential WHERE user_id = :userId)',
  ),
];

/**
 * Takes every second factor of a user away (passkeys only of somebody who has a password to sign in
 * with), by the hand of an operator who knows who asked (ASVS 6.4.4, 6.5.6): the way back for
 * somebody who lost authenticator and recovery codes. Every session ends, and the user is told.
 */
export async function removeAllFactors(
  deps: Pick<AuthenticationDeps, 'db' | 'clock' | 'revocations'> & MailDeps,
  user: User,
  requester: Requester,
): Promise<void> {
  const now = deps.clock.now();
  await writeEndings(deps, [
    ...EVERYTHING.map((statement) => statement({ userId: user.id })),
    resetAllThrottles(secondBucket(user.id)),
    setMfaDue(user.id, null),
    advanceEpoch(user.id, now),
    voidOneTimes(user.id, now),
    ...dropPendingAddress(user, now),
    ...endSessions({ kind: 'all', userId: user.id }, 'operator', now),
    ...tell(
      deps,
      'factor_removed',
      user.email,
      {
        factor: 'every second factor, by those who run the service',
        address: 'the service itself',
      },
      requester,
    ),
  ]);
}
