/** Starts a session, and renews one whose user authenticated again. */
import { and, eq, exists, isNull, sql } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RefusalCode } from '../../refusal.ts';
import type { PresentedFactor } from '../factor/presented.ts';
import { guarded } from '../guards.ts';
import { user } from '../user/tables.ts';
import type { User } from '../user/user.ts';
import type { Requester } from '../requester.ts';
import { endSessions, isLive, ofUser, sessionColumns } from './session.ts';
import type { Principal, Session, SessionLimits } from './session.ts';
import { session, statusCounter } from './tables.ts';

const countStatusIndex = prepare(
  query
    .insert(statusCounter)
    .values({ id: 1, next: 1 })
    .onConflictDoUpdate({
      target: statusCounter.id,
      set: { next: sql`${statusCounter.next} + 1` },
    }),
);

const insert = prepare(
  query
    .insert(session)
    .select(
      query
        .select({
          id: given('id').as('id'),
          userId: user.id,
          generation: sql<number>`0`.as('generation'),
          rotatedAt: given('now').as('rotated_at'),
          rotatedBy: sql<null>`NULL`.as('rotated_by'),
          authTime: given('now').as('auth_time'),
          factors: given('factors').as('factors'),
          createdAt: given('now').as('created_at'),
          lastUsedAt: given('now').as('last_used_at'),
          expiresAt: given('expiresAt').as('expires_at'),
          endedAt: sql<null>`NULL`.as('ended_at'),
          endReason: sql<null>`NULL`.as('end_reason'),
          ip: given('ip').as('ip'),
          userAgent: given('userAgent').as('user_agent'),
          statusIndex: sql<number>`(SELECT ${statusCounter.next} FROM ${statusCounter})`.as(
            'status_index',
          ),
        })
        .from(user)
        .where(
          and(
            eq(user.id, given('userId')),
            eq(user.epoch, given('epoch')),
            isNull(user.disabledAt),
          ),
        ),
    )
    .returning({ statusIndex: session.statusIndex }),
);

export interface NewSession {
  readonly id: string;
  /** The user in the state in which the factors were verified. */
  readonly user: User;
  readonly factors: readonly PresentedFactor[];
  readonly requester: Requester;
  readonly now: number;
}

/** A session to be committed; the commit assigns its number in the status lists. */
export interface StartedSession {
  readonly session: Omit<Session, 'statusIndex'>;
  readonly inserted: Statement<Pick<Session, 'statusIndex'>>;
  /** All statements, including the one above. */
  readonly statements: readonly Statement[];
}

/**
 * The session and the statements that start it: it is inserted only if the user is still in the
 * state in which the factors were verified (else `invalid_credentials`), and the oldest sessions
 * beyond the limit end in the same commit.
 */
export function startSession(
  limits: SessionLimits,
  { id, user: owner, factors, requester, now }: NewSession,
): StartedSession {
  const { ip, userAgent } = requester;
  const expiresAt = now + limits.refreshTtlMs;
  const inserting = insert({
    id,
    userId: owner.id,
    epoch: owner.epoch,
    now,
    factors: JSON.stringify(factors),
    expiresAt,
    ip,
    userAgent,
  });
  const inserted = guarded(inserting, 'invalid_credentials');
  return {
    inserted,
    session: {
      id,
      userId: owner.id,
      generation: 0,
      rotatedAt: now,
      authTime: now,
      factors,
      createdAt: now,
      lastUsedAt: now,
      expiresAt,
      ip,
      userAgent,
    },
    statements: [
      countStatusIndex(),
      inserted,
      ...endSessions(
        { kind: 'beyond', userId: owner.id, keep: limits.maxPerUser },
        'session_limit',
        now,
      ),
    ],
  };
}

const renew = prepare(
  query
    .update(session)
    .set({
      // Skip a generation, so that no earlier token gets the grace.
      generation: sql`${session.generation} + 2`,
      rotatedAt: given('now'),
      lastUsedAt: given('now'),
      authTime: given('now'),
      factors: given('factors'),
    })
    .where(
      and(
        eq(session.id, given('sessionId')),
        ofUser,
        isLive,
        exists(
          query
            .select({ id: user.id })
            .from(user)
            .where(
              and(
                eq(user.id, session.userId),
                isNull(user.disabledAt),
                eq(user.epoch, given('epoch')),
              ),
            ),
        ),
      ),
    )
    .returning(sessionColumns),
);

/**
 * The statement that gives a session a new authentication time after its user authenticated again;
 * else `session_revoked`.
 */
export function renewSession(
  { user: owner, session: renewed }: Principal,
  factors: readonly PresentedFactor[],
  now: number,
): Statement<Session> {
  const values = { sessionId: renewed.id, userId: owner.id, epoch: owner.epoch, now };
  const code: RefusalCode = 'session_revoked';
  return guarded(renew({ factors: JSON.stringify(factors), ...values }), code);
}

const setFactors = prepare(
  query
    .update(session)
    .set({ factors: given('factors') })
    .where(eq(session.id, given('sessionId'))),
);

/** The statement that records the session's factors after the user's factors changed. */
export function setSessionFactors(id: string, factors: readonly PresentedFactor[]): Statement {
  return setFactors({ sessionId: id, factors: JSON.stringify(factors) });
}
