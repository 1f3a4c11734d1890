/**
 * Showing a factor that an account has, as the second one of a sign-in or again within a session.
 * Attempts are counted over all factors and challenges of an account, before anything is looked at
 * (L03, O06, N5); a right password sets nothing of it back (L04).
 */
import { raw } from '../../db/prepare.ts';
import { Refusal } from '../../refusal.ts';
import type { AuthenticationDeps } from './authentication-deps.ts';
import type { Answer, Factor, Occasion, VerifiedFactor } from './factor.ts';
import type { Requester } from '../session/requester.ts';
import { countAttempt, passwordBucket, resetThrottle, uncountAttempt } from '../attempt/attempt.ts';
import type { User } from '../user/user.ts';

/**
 * Wrong second factors in a row after which the owner is told: whoever shows them knows the
 * password (ASVS 6.3.5).
 */
const TELLING_FAILURES = 5;

/** The bucket of an account's second factors; a device's or a session's own is named after it. */
export const secondBucket = (userId: string): string => `second:${userId}`;

/** The bucket of attempts to confirm an authenticator app. */
export const enrolmentBucket = (userId: string): string => `totp-enrolment:${userId}`;

type Factors = Pick<AuthenticationDeps, 'factors'>;

async function enrolledOf(factors: readonly Factor[], userId: string): Promise<Factor[]> {
  const enrolled = await Promise.all(factors.map((factor) => factor.enrolled(userId)));
  return factors.filter((_, index) => enrolled[index]);
}

/**
 * The factors that this user has, once one of them asks for a second; else none, for then nothing
 * is asked.
 */
export async function enrolledFactors({ factors }: Factors, userId: string): Promise<Factor[]> {
  const demanding = await enrolledOf(
    factors.filter((factor) => factor.demandsSecond),
    userId,
  );
  return demanding.length === 0
    ? []
    : [
        ...demanding,
        ...(await enrolledOf(
          factors.filter((factor) => !factor.demandsSecond),
          userId,
        )),
      ];
}

/** Whether this user has a second factor. */
export async function hasSecondFactor({ factors }: Factors, userId: string): Promise<boolean> {
  return (
    (
      await enrolledOf(
        factors.filter((factor) => factor.demandsSecond),
        userId,
      )
    ).length > 0
  );
}

export interface Presentation {
  readonly user: User;
  readonly answer: Answer;
  readonly occasion: Occasion;
  /**
   * Whose attempts these are counted with, beside the account's: a known device, a session; null
   * for strangers.
   */
  readonly apart: string | null;
}

/**
 * Verifies an answer. What it gives back has the counter's setting back among its effects.
 *
 * @throws {Refusal} invalid_credentials: wrong, spent, or not a factor of this user;
 *   too_many_attempts, overloaded
 */
export async function verifyAnswer(
  deps: AuthenticationDeps,
  presented: Presentation,
  requester: Requester,
  signal: AbortSignal,
): Promise<VerifiedFactor> {
  const { user, answer, occasion, apart } = presented;
  // A right password sets nothing back but the count of passwords.
  const account = answer.factor === 'password' ? passwordBucket(user.id) : secondBucket(user.id);
  const bucket = apart === null ? account : `${account}:${apart}`;
  const about = {
    request_id: requester.requestId,
    'user.id': user.id,
    'client.address': requester.ip,
    factor: answer.factor,
  } as const;
  const refuse = (error: Refusal): void =>
    deps.log.write(
      error.code === 'too_many_attempts' ? 'warn' : 'info',
      'second_factor.failed',
      'a second factor was refused',
      { ...about, 'error.type': error.code },
    );
  let failures;
  try {
    failures = await countAttempt(deps, deps.policy.throttle, bucket);
  } catch (error) {
    if (error instanceof Refusal) refuse(error);
    throw error;
  }
  const factor = deps.factors.find(({ name }) => name === answer.factor);
  try {
    if (factor === undefined || !(await factor.enrolled(user.id)))
      throw new Refusal('invalid_credentials');
    const verified = await factor.verify(user, answer, occasion, requester, signal);
    return { ...verified, effects: [resetThrottle(bucket), ...verified.effects] };
  } catch (error) {
    if (error instanceof Refusal && error.code === 'invalid_credentials') {
      refuse(error);
      // Each count comes once, however many guess at a time: one letter.
      if (failures === TELLING_FAILURES && occasion.kind === 'sign_in')
        await deps.db.write(
          deps.tell(
            'second_factor_failed',
            user.email,
            { failures: String(failures), address: requester.ip ?? 'unknown' },
            requester,
          ),
        );
    } else {
      // Too busy, or the caller has gone: nobody looked at it.
      await deps.db.write([uncountAttempt(deps.policy.throttle, bucket)]);
    }
    throw error;
  }
}

const stillEnrolled = {
  totp: raw<{ found: number }>('SELECT 1 FROM totp LIMIT 1', ['found']),
  passkey: raw<{ found: number }>('SELECT 1 FROM passkey LIMIT 1', ['found']),
};

/**
 * Factors that users have and this configuration does not know: those users sign in without them.
 */
export async function switchedOffFactors({
  db,
  factors,
}: Pick<AuthenticationDeps, 'db' | 'factors'>): Promise<readonly ('totp' | 'passkey')[]> {
  const off = (['totp', 'passkey'] as const).filter(
    (name) => !factors.some((factor) => factor.name === name),
  );
  const found = await Promise.all(
    off.map(async (name) => (await db.read(stillEnrolled[name]({}))).length > 0),
  );
  return off.filter((_, index) => found[index]);
}
