/**
 * Sessions. The row has the generation of the one live refresh token, so that rotation, the grace
 * for a lost answer and reuse detection are one conditional statement (D2), decided by the write
 * and never by an earlier read.
 */
import { and, desc, eq, gt, gte, inArray, isNull, ne, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Database, Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { Prepare, RowOfColumns } from '../../db/prepare.ts';
import { user } from '../user/tables.ts';
import { userColumns } from '../user/user.ts';
import type { User } from '../user/user.ts';
import { revocation, session } from './tables.ts';

export const sessionColumns = {
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
 * The principal: user and session of a verified access token, read from the database in the same
 * request, so that an ended session or a disabled user is refused at once, whatever the token
 * claims (ASVS 7.4.1, 7.4.2).
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
  | 'operator'
  | 'incident';

/** Lifetimes and limits. */
export interface SessionLimits {
  /** From the sign-in to the absolute end, milliseconds. */
  readonly refreshTtlMs: number;
  /** Maximum time between two refreshes, milliseconds. */
  readonly idleTtlMs: number;
  /** How long a used token gets its successor again, milliseconds. */
  readonly refreshGraceMs: number;
  /** Maximum number per user; a further one ends the oldest. */
  readonly maxPerUser: number;
}

export const isLive = and(isNull(session.endedAt), gt(session.expiresAt, given('now')));

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

/** Which sessions end. */
export type SessionSelection =
  | { readonly kind: 'one'; readonly sessionId: string; readonly userId: string }
  | { readonly kind: 'all'; readonly userId: string }
  | { readonly kind: 'others'; readonly userId: string; readonly except: string }
  | { readonly kind: 'beyond'; readonly userId: string; readonly keep: number }
  /** Sessions of all users with an authentication since then. */
  | { readonly kind: 'since'; readonly since: number };

export const ofUser = eq(session.userId, given('userId'));

/** The user's live sessions except the newest ones. */
const oldest = query
  .select({ id: session.id })
  .from(session)
  .where(and(ofUser, isNull(session.endedAt)))
  .orderBy(desc(sql`${session}.rowid`))
  // SQLite requires a LIMIT with OFFSET, and drizzle omits a negative one.
  .limit(Number.MAX_SAFE_INTEGER)
  .offset(sql.placeholder('keep'));

/**
 * How long an ended session's access token may still be presented: the maximum lifetime, and a
 * minute for clock differences.
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
  since: enders(gte(session.authTime, given('since'))),
  beyond: enders(and(ofUser, inArray(session.id, oldest))),
};

/** The statements that end sessions; the first returns a row for each. */
export type EndSessions = readonly [revoke: Statement<{ sessionId: string }>, end: Statement];

/**
 * The statements that end sessions, for any reason: the row records it, and a revocation informs
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
      afterwards: 'refresh_revocations',
      ...revoke({ until: now + REVOCATION_KEPT_MS, ...values }),
    },
    end({ now, reason, ...values }),
  ];
}

const liveByUser = prepare(
  query
    .select(sessionColumns)
    .from(session)
    .where(and(ofUser, isLive, gt(session.lastUsedAt, given('idleSince'))))
    .orderBy(desc(session.lastUsedAt), desc(session.id)),
);

/** When a session ends if it is not used again: the earlier of the idle and the absolute end. */
export function endsAt(
  { idleTtlMs }: Pick<SessionLimits, 'idleTtlMs'>,
  { lastUsedAt, expiresAt }: Pick<Session, 'lastUsedAt' | 'expiresAt'>,
): number {
  return Math.min(expiresAt, lastUsedAt + idleTtlMs);
}

/**
 * The user and the live session of a token; null when it ended, or its user is disabled or deleted.
 */
export async function findPrincipal(
  db: Pick<Database, 'read'>,
  values: { readonly sessionId: string; readonly userId: string; readonly now: number },
): Promise<Principal | null> {
  return (await db.read(principalQuery(values)))[0] ?? null;
}

/** The user's sessions that can still be refreshed, the most recently used first. */
export async function listSessions(
  db: Pick<Database, 'read'>,
  values: { readonly userId: string; readonly now: number; readonly idleSince: number },
): Promise<readonly Session[]> {
  return db.read(liveByUser(values));
}
