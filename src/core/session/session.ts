/**
 * Sessions. The row carries the generation of the one live refresh token, so that rotation, the
 * grace for a lost answer and the detection of reuse are one conditional statement (D2), decided
 * where the write happens and never by a read before it.
 */
import { and, desc, eq, exists, gt, inArray, isNull, ne, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { Prepare, RowOfColumns } from '../../db/prepare.ts';
import type { RefusalCode } from '../../refusal.ts';
import { guarded } from '../guards.ts';
import type { PresentedFactor } from '../factor/presented.ts';
import { user } from '../user/tables.ts';
import { userColumns } from '../user/user.ts';
import type { User } from '../user/user.ts';
import type { Requester } from './requester.ts';
import { revocation, session, statusCounter } from './tables.ts';

const sessionColumns = {
  id: session.id,
  userId: session.userId,
  generation: session.generation,
  rotatedAt: session.rotatedAt,
  authTime: session.authTime,
  factors: session.factors,
  createdAt: session.createdAt,
  lastUsedAt: session.lastUsedAt,
  expiresAt: session.expiresAt,
  ip: session.ip,
  userAgent: session.userAgent,
  statusIndex: session.statusIndex,
};

export type Session = RowOfColumns<typeof sessionColumns>;

/**
 * Who calls: the user and the session behind a verified access token, read from the database in the
 * same request, so that an ended session or a disabled user is refused at once whatever the token
 * says (ASVS 7.4.1, 7.4.2).
 */
export interface Principal {
  readonly user: User;
  readonly session: Session;
}

export type EndReason =
  | 'logout'
  | 'logout_all'
  | 'revoked'
  | 'session_removed'
  | 'password_changed'
  | 'token_reused'
  | 'session_limit'
  | 'email_changed'
  | 'factors_changed'
  | 'user_disabled'
  | 'user_deleted'
  | 'operator';

/** Lifetimes and limits. */
export interface SessionLimits {
  /** From the sign-in to the absolute end, milliseconds. */
  readonly refreshTtlMs: number;
  /** Between two refreshes, milliseconds. */
  readonly idleTtlMs: number;
  /** For which a token that was just used gets its successor again, milliseconds. */
  readonly refreshGraceMs: number;
  /** More end the oldest. */
  readonly maxPerUser: number;
}

const isLive = and(isNull(session.endedAt), gt(session.expiresAt, given('now')));

const principalQuery = prepare(
  query
    .select({ session: sessionColumns, user: userColumns })
    .from(session)
    .innerJoin(user, eq(user.id, session.userId))
    .where(
      and(
        eq(session.id, given('sessionId')),
        eq(session.userId, given('userId')),
        isNull(user.disabledAt),
        isLive,
      ),
    )
    .limit(1),
);

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

/** Which sessions end. */
export type SessionSelection =
  | { readonly kind: 'one'; readonly sessionId: string; readonly userId: string }
  | { readonly kind: 'all'; readonly userId: string }
  | { readonly kind: 'others'; readonly userId: string; readonly except: string }
  | { readonly kind: 'beyond'; readonly userId: string; readonly keep: number };

const ofUser = eq(session.userId, given('userId'));

/** The user's live sessions but the newest ones. */
const oldest = query
  .select({ id: session.id })
  .from(session)
  .where(and(ofUser, isNull(session.endedAt)))
  .orderBy(desc(sql`${session}.rowid`))
  // SQLite takes no OFFSET without a LIMIT, and drizzle leaves out a negative one.
  .limit(Number.MAX_SAFE_INTEGER)
  .offset(sql.placeholder('keep'));

/**
 * An ended session's token may still be shown for this long: the longest access token there can be,
 * and a minute for clocks.
 */
export const REVOCATION_KEPT_MS = 16 * 60_000;

interface Enders {
  readonly revoke: Prepare<{ sessionId: string }>;
  readonly end: Prepare<unknown>;
}

function enders(selected: SQL | undefined): Enders {
  const where = and(isNull(session.endedAt), selected);
  return {
    revoke: prepare(
      query
        .insert(revocation)
        .select(
          query
            .select({
              seq: sql<number>`NULL`.as('seq'),
              sessionId: session.id,
              statusIndex: session.statusIndex,
              expiresAt: given('until').as('expires_at'),
            })
            .from(session)
            .where(where),
        )
        .returning({ sessionId: revocation.sessionId }),
    ),
    end: prepare(
      query
        .update(session)
        .set({ endedAt: given('now'), endReason: given('reason') })
        .where(where),
    ),
  };
}

const ENDERS: Readonly<Record<SessionSelection['kind'], Enders>> = {
  one: enders(and(ofUser, eq(session.id, given('sessionId')))),
  all: enders(ofUser),
  others: enders(and(ofUser, ne(session.id, given('except')))),
  beyond: enders(and(ofUser, inArray(session.id, oldest))),
};

/** The statements that end sessions; the first yields a row for each. */
export type EndSessions = readonly [revoke: Statement<{ sessionId: string }>, end: Statement];

/**
 * The statements that end sessions, whatever the reason: the row says so, and a revocation tells
 * every process that verifies from memory.
 */
export function endSessions(
  selection: SessionSelection,
  reason: EndReason,
  now: number,
): EndSessions {
  const { kind, ...values } = selection;
  const { revoke, end } = ENDERS[kind];
  return [
    {
      ...revoke({ ...values, until: now + REVOCATION_KEPT_MS }),
      afterwards: 'refresh_revocations',
    },
    end({ ...values, now, reason }),
  ];
}

export interface NewSession {
  readonly id: string;
  /** The user in the state in which the factors were verified. */
  readonly user: User;
  readonly factors: readonly PresentedFactor[];
  readonly requester: Requester;
  readonly now: number;
}

/** A session that is about to be committed; its number in the status lists is given by the commit. */
export interface StartedSession {
  readonly session: Omit<Session, 'statusIndex'>;
  readonly inserted: Statement<Pick<Session, 'statusIndex'>>;
  /** All statements, the one above among them. */
  readonly statements: readonly Statement[];
}

/**
 * The statements that start a session, and the session: it is inserted only if the user is still in
 * the state in which the factors were verified (else `invalid_credentials`), and the oldest sessions
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
      generation: sql`${session.generation} + 1`,
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
  return guarded(renew({ ...values, factors: JSON.stringify(factors) }), code);
}

const setFactors = prepare(
  query
    .update(session)
    .set({ factors: given('factors') })
    .where(eq(session.id, given('sessionId'))),
);

/** The statement that notes which factors a session rests on, after the user's factors changed. */
export function setSessionFactors(id: string, factors: readonly PresentedFactor[]): Statement {
  return setFactors({ sessionId: id, factors: JSON.stringify(factors) });
}

const liveByUser = prepare(
  query
    .select(sessionColumns)
    .from(session)
    .where(and(ofUser, isLive, gt(session.lastUsedAt, given('idleSince'))))
    .orderBy(desc(session.lastUsedAt), desc(session.id)),
);

/** When a session ends if nobody uses it again: the sooner of the idle and the absolute end. */
export function endsAt(
  { idleTtlMs }: Pick<SessionLimits, 'idleTtlMs'>,
  { lastUsedAt, expiresAt }: Pick<Session, 'lastUsedAt' | 'expiresAt'>,
): number {
  return Math.min(expiresAt, lastUsedAt + idleTtlMs);
}

/** The user and the live session of a token; null when it ended, or its user is disabled or gone. */
export async function findPrincipal(
  db: Pick<Database, 'read'>,
  values: { readonly sessionId: string; readonly userId: string; readonly now: number },
): Promise<Principal | null> {
  return (await db.read(principalQuery(values)))[0] ?? null;
}

/** The user's sessions that could still be refreshed, the last used first. */
export async function listSessions(
  db: Pick<Database, 'read'>,
  values: { readonly userId: string; readonly now: number; readonly idleSince: number },
): Promise<readonly Session[]> {
  return db.read(liveByUser(values));
}
