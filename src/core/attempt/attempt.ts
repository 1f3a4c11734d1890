/**
 * Attempts on an account, counted in the database by one statement that counts first and then says
 * whether the attempt may be made: a burst of parallel guesses can't be under-counted, and a
 * restart forgets nothing (L03, L05, N5).
 *
 * A bucket drains over a window; past its attempts each further failure makes the next wait longer,
 * up to an hour; after `max_failures` in a row without a success the bucket is shut until it is
 * reset. A device that signed in before has a bucket of its own, so that strangers who fill the
 * account's bucket don't keep its owner out (L02).
 */
import { raw } from '../../db/prepare.ts';
import type { Database, Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../../refusal.ts';

/** Limits of a bucket; times in milliseconds. */
export interface ThrottlePolicy {
  /** Failures that cost no wait. */
  readonly attempts: number;
  /** The time in which that many failures drain away. */
  readonly window: number;
  /** The first wait; each further failure doubles it. */
  readonly wait: number;
  readonly max_wait: number;
  /** Consecutive failures after which the bucket is shut (N5: at most 100). */
  readonly max_failures: number;
}

interface Bucket {
  failures: number;
  recent: number;
  blockedUntil: number;
}

const BUCKET = ['failures', 'recent', 'blockedUntil'] as const;

// `recent` after this attempt: what was left of it, drained since, plus one. A clock that was set
// back drains nothing.
const RECENT = `(max(0.0, recent - max(0, :now - last_at) * 1.0 * :attempts / :window) + 1)`;

// Half an attempt of margin: what drains between two guesses of a burst must not make room for one
// more.
const FULL = '(:attempts - 0.5)';

const count = raw<Bucket>(
  `INSERT INTO throttle (key, failures, recent, last_at, blocked_until) VALUES (:key, 1, 1.0, :now, CASE WHEN :attempts <= 1 THEN :now + :wait ELSE 0 END)
   ON CONFLICT (key) DO UPDATE SET
     failures = failures + 1,
     recent = ${RECENT},
     last_at = :now,
     blocked_until = CASE WHEN ${RECENT} < ${FULL} THEN 0
       ELSE :now + min(:maxWait, :wait * (1 << min(20, CAST(${RECENT} - ${FULL} AS INTEGER)))) END
   WHERE failures < :maxFailures AND (blocked_until <= :now OR blocked_until > :now + :maxWait)
   RETURNING failures, recent, blocked_until`,
  BUCKET,
);

const look = raw<Bucket>(
  'SELECT failures, recent, blocked_until FROM throttle WHERE key = :key',
  BUCKET,
);

/**
 * Counts an attempt before it is made. The attempt counts as a failure until {@link resetThrottle}
 * is committed with its success.
 *
 * @param patienceMs how long the count may wait for a commit that it can share, when the guess
 *   could not be looked at sooner anyway
 * @returns attempts since the last success, this one included
 * @throws {Refusal} too_many_attempts: the attempt must not be made
 */
export async function countAttempt(
  { db, clock }: { db: Database; clock: Clock },
  policy: ThrottlePolicy,
  key: string,
  patienceMs = 0,
): Promise<number> {
  const now = clock.now();
  const attempt = count({
    key,
    now,
    attempts: policy.attempts,
    window: policy.window,
    wait: policy.wait,
    maxWait: policy.max_wait,
    maxFailures: policy.max_failures,
  });
  const [[counted]] = await db.write([attempt], patienceMs);
  if (counted !== undefined) return counted.failures;
  const [bucket] = await db.read(look({ key }));
  const waitMs =
    bucket === undefined
      ? 0
      : bucket.failures >= policy.max_failures
        ? policy.max_wait
        : bucket.blockedUntil - now;
  throw new Refusal('too_many_attempts', {
    retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)),
  });
}

const giveBack = raw(
  `UPDATE throttle SET failures = max(0, failures - 1), recent = max(0.0, recent - 1), blocked_until = CASE WHEN recent - 1 < ${FULL} THEN 0 ELSE blocked_until END WHERE key = :key`,
);

/**
 * The statement that takes an attempt back that was counted and then not made: nobody looked at the
 * guess.
 */
export function uncountAttempt(policy: Pick<ThrottlePolicy, 'attempts'>, key: string): Statement {
  return giveBack({ key, attempts: policy.attempts });
}

/** The bucket of a user's password attempts; a device's or a session's own is named after it. */
export const passwordBucket = (userId: string): string => `password:${userId}`;

const remove = raw('DELETE FROM throttle WHERE key = :key', []);
const removePrefix = raw("DELETE FROM throttle WHERE key = :key OR key LIKE :key || ':%'", []);

/**
 * The statement that forgets a bucket's failures, to be committed with the success that earned it.
 */
export function resetThrottle(key: string): Statement {
  return remove({ key });
}

/**
 * The statement that forgets the buckets of an account and of all its devices: an operator's
 * unlock, a reset password.
 */
export function resetAllThrottles(key: string): Statement {
  return removePrefix({ key });
}
