/**
 * Sessions. The row carries the generation of the one live refresh token, so that rotation, the
 * grace for a lost answer and the detection of reuse are one conditional statement (D2), decided
 * where the write happens and never by a read before it.
 */
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import { session, user } from '../../db/schema.ts';
import { guarded, prepare, query, raw } from '../../db/prepare.ts';
import type { Prepare } from '../../db/prepare.ts';
import type { Database, Results, Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { userColumns } from '../user/user.ts';
import type { User } from '../user/user.ts';
import type { Requester } from './requester.ts';
import type { Revocations } from './revocation.ts';

export interface Session {
  readonly id: string;
  readonly userId: string;
  readonly generation: number;
  readonly rotatedAt: number;
  readonly authTime: number;
  readonly amr: readonly string[];
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

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
  | 'session_removed'
  | 'password_changed'
  | 'token_reused'
  | 'session_limit'
  | 'email_changed'
  | 'factors_changed'
  | 'user_disabled'
  | 'user_deleted'
  | 'operator';

/** Lifetimes and limits, milliseconds. */
export interface SessionPolicy {
  readonly refresh_ttl: number;
  readonly idle_ttl: number;
  readonly refresh_grace: number;
  readonly max_per_user: number;
}

const sessionColumns = {
  id: session.id,
  userId: session.userId,
  generation: session.generation,
  rotatedAt: session.rotatedAt,
  authTime: session.authTime,
  amr: session.amr,
  createdAt: session.createdAt,
  lastUsedAt: session.lastUsedAt,
  expiresAt: session.expiresAt,
  ip: session.ip,
  userAgent: session.userAgent,
};

const live = and(isNull(session.endedAt), gt(session.expiresAt, sql.placeholder('now')));

const principalQuery = prepare(
  query
    .select({ session: sessionColumns, user: userColumns })
    .from(session)
    .innerJoin(user, eq(user.id, session.userId))
    .where(
      and(
        eq(session.id, sql.placeholder('sessionId')),
        eq(session.userId, sql.placeholder('userId')),
        isNull(user.disabledAt),
        live,
      ),
    )
    .limit(1),
);

/**
 * The user and the live session, or null when the session ended, ran out, or its user is disabled
 * or gone.
 */
export async function findPrincipal(
  { db, clock }: { db: Database; clock: Clock },
  sessionId: string,
  userId: string,
): Promise<Principal | null> {
  return (await db.read(principalQuery({ sessionId, userId, now: clock.now() })))[0] ?? null;
}

const insert = raw<{ id: string }>(
  `INSERT INTO session (id, user_id, generation, rotated_at, auth_time, amr, created_at, last_used_at, expires_at, ip, user_agent)
   SELECT :id, id, 0, :now, :now, :amr, :now, :now, :expiresAt, :ip, :userAgent
   FROM "user" WHERE id = :userId AND epoch = :epoch AND disabled_at IS NULL
   RETURNING id`,
  ['id'],
);

export interface NewSession {
  readonly id: string;
  readonly userId: string;
  /** The user's epoch when the factors were checked. */
  readonly epoch: number;
  readonly amr: readonly string[];
  readonly requester: Requester;
  readonly now: number;
}

/** What a guarded insert says when the user's state has moved since the factors were checked. */
export const USER_STATE_MOVED = 'user_state_moved';

/**
 * The statements that start a session: it is inserted only if the user is still in the state that
 * was checked (a password changed meanwhile, a disabled user), and the oldest sessions beyond
 * `max_per_user` end in the same commit.
 */
export function startSession(policy: SessionPolicy, start: NewSession): readonly Statement[] {
  const { id, userId, epoch, now, requester } = start;
  return [
    guarded(
      insert({
        id,
        userId,
        epoch,
        now,
        amr: JSON.stringify(start.amr),
        expiresAt: now + policy.refresh_ttl,
        ip: requester.ip,
        userAgent: requester.userAgent,
      }),
      USER_STATE_MOVED,
    ),
    ...endSessions({ kind: 'beyond', userId, keep: policy.max_per_user }, 'session_limit', now),
  ];
}

/** Which sessions end. */
export type SessionSelection =
  | { readonly kind: 'one'; readonly sessionId: string; readonly userId: string }
  | { readonly kind: 'all'; readonly userId: string }
  | { readonly kind: 'others'; readonly userId: string; readonly except: string }
  | { readonly kind: 'beyond'; readonly userId: string; readonly keep: number };

const SELECTIONS = {
  one: 'user_id = :userId AND id = :sessionId',
  all: 'user_id = :userId',
  others: 'user_id = :userId AND id <> :except',
  beyond: `user_id = :userId AND id IN (SELECT id FROM session WHERE user_id = :userId AND ended_at IS NULL ORDER BY rowid DESC LIMIT -1 OFFSET :keep)`,
} as const;

/**
 * An ended session's token may still be shown for this long: the longest access token there can be,
 * and a minute for clocks.
 */
export const REVOCATION_KEPT_MS = 16 * 60_000;

function enders(where: string): {
  revoke: Prepare<{ sessionId: string }>;
  end: Prepare<{ id: string }>;
} {
  return {
    revoke: raw<{ sessionId: string }>(
      `INSERT INTO revocation (session_id, expires_at) SELECT id, :until FROM session WHERE ended_at IS NULL AND ${where} RETURNING session_id`,
      ['sessionId'],
    ),
    end: raw<{ id: string }>(
      `UPDATE session SET ended_at = :now, end_reason = :reason WHERE ended_at IS NULL AND ${where} RETURNING id`,
      ['id'],
    ),
  };
}

const ENDERS = {
  one: enders(SELECTIONS.one),
  all: enders(SELECTIONS.all),
  others: enders(SELECTIONS.others),
  beyond: enders(SELECTIONS.beyond),
};

/**
 * The statements that end sessions, whatever the reason: the row says so, and a revocation tells
 * every process that verifies from memory. Both in the caller's commit.
 */
export function endSessions(
  selection: SessionSelection,
  reason: EndReason,
  now: number,
): readonly Statement[] {
  const { kind, ...values } = selection;
  const { revoke, end } = ENDERS[kind];
  return [revoke({ ...values, until: now + REVOCATION_KEPT_MS }), end({ ...values, now, reason })];
}

interface Rotated {
  generation: number;
  rotatedAt: number;
  endedAt: number | null;
  authTime: number;
  lastUsedAt: number;
  expiresAt: number;
  amr: string;
}

const ROTATED = [
  'generation',
  'rotatedAt',
  'endedAt',
  'authTime',
  'lastUsedAt',
  'expiresAt',
  'amr',
] as const;

/**
 * Rotation, grace and reuse in one statement. Of the token's generation `:gen`: the live one moves
 * on; the parent of the live one within the grace changes nothing, so that it gets the same
 * successor again; every other one ends the session. A clock that was set back by up to a minute
 * doesn't make a retry look like reuse.
 */
const rotate = raw<Rotated>(
  `UPDATE session SET
     rotated_at = CASE WHEN generation = :gen THEN :now ELSE rotated_at END,
     last_used_at = CASE WHEN generation = :gen THEN :now ELSE last_used_at END,
     ended_at = CASE WHEN generation = :gen OR (generation = :gen + 1 AND :grace > 0 AND :now - rotated_at BETWEEN -60000 AND :grace) THEN NULL ELSE :now END,
     end_reason = CASE WHEN generation = :gen OR (generation = :gen + 1 AND :grace > 0 AND :now - rotated_at BETWEEN -60000 AND :grace) THEN NULL ELSE 'token_reused' END,
     generation = CASE WHEN generation = :gen THEN generation + 1 ELSE generation END
   WHERE id = :sessionId AND user_id = :userId AND ended_at IS NULL AND expires_at > :now AND last_used_at > :now - :idle
     AND EXISTS (SELECT 1 FROM "user" WHERE id = session.user_id AND disabled_at IS NULL)
   RETURNING generation, rotated_at, ended_at, auth_time, last_used_at, expires_at, amr`,
  ROTATED,
);

/**
 * The usual case by itself, in one statement and one look at the row: the live generation moves on.
 */
const advance = raw<Rotated>(
  `UPDATE session SET generation = generation + 1, rotated_at = :now, last_used_at = :now
   WHERE id = :sessionId AND user_id = :userId AND generation = :gen AND ended_at IS NULL AND expires_at > :now AND last_used_at > :now - :idle
     AND EXISTS (SELECT 1 FROM "user" WHERE id = session.user_id AND disabled_at IS NULL)
   RETURNING generation, rotated_at, ended_at, auth_time, last_used_at, expires_at, amr`,
  ROTATED,
);

const revokeEnded = raw<{ sessionId: string }>(
  `INSERT INTO revocation (session_id, expires_at) SELECT id, :until FROM session WHERE id = :sessionId AND ended_at = :now AND end_reason = 'token_reused' RETURNING session_id`,
  ['sessionId'],
);

export type Rotation =
  | {
      readonly outcome: 'rotated' | 'grace';
      readonly session: Pick<
        Session,
        'generation' | 'rotatedAt' | 'authTime' | 'lastUsedAt' | 'expiresAt' | 'amr'
      >;
    }
  | { readonly outcome: 'reused' }
  | { readonly outcome: 'refused'; readonly why: 'expired' | 'ended' | 'disabled' | 'unknown' };

/** Uses the refresh token of one generation. */
export async function rotateSession(
  { db, clock }: { db: Database; clock: Clock },
  policy: SessionPolicy,
  token: { sessionId: string; userId: string; generation: number },
): Promise<Rotation> {
  const now = clock.now();
  const { sessionId, userId, generation } = token;
  const values = { sessionId, userId, gen: generation, now, idle: policy.idle_ttl };
  const [[advanced]] = await db.write([advance(values)]);
  if (advanced !== undefined)
    return { outcome: 'rotated', session: { ...advanced, amr: amrOf(advanced.amr) } };
  // Everything else, whole in itself again, for what stood there a moment ago may have moved.
  const [[row]] = await db.write([
    rotate({ ...values, grace: policy.refresh_grace }),
    revokeEnded({ sessionId, now, until: now + REVOCATION_KEPT_MS }),
  ]);
  if (row === undefined)
    return { outcome: 'refused', why: await whyRefused(db, policy, sessionId, userId, now) };
  if (row.endedAt !== null) return { outcome: 'reused' };
  return { outcome: 'grace', session: { ...row, amr: amrOf(row.amr) } };
}

function amrOf(json: string): string[] {
  const amr: unknown = JSON.parse(json);
  return Array.isArray(amr) ? amr.map(String) : [];
}

const fate = raw<{
  endedAt: number | null;
  expiresAt: number;
  lastUsedAt: number;
  disabledAt: number | null;
}>(
  `SELECT ended_at, expires_at, last_used_at, disabled_at FROM session JOIN "user" ON "user".id = session.user_id WHERE session.id = :sessionId AND user_id = :userId`,
  ['endedAt', 'expiresAt', 'lastUsedAt', 'disabledAt'],
);

/** Only chooses the words of a refusal that has already happened. */
async function whyRefused(
  db: Database,
  policy: SessionPolicy,
  sessionId: string,
  userId: string,
  now: number,
): Promise<'expired' | 'ended' | 'disabled' | 'unknown'> {
  const [row] = await db.read(fate({ sessionId, userId }));
  if (row === undefined) return 'unknown';
  if (row.disabledAt !== null) return 'disabled';
  if (row.endedAt !== null) return 'ended';
  return row.expiresAt <= now || row.lastUsedAt <= now - policy.idle_ttl ? 'expired' : 'ended';
}

const renew = raw<Rotated>(
  `UPDATE session SET generation = generation + 1, rotated_at = :now, last_used_at = :now, auth_time = :now, amr = :amr
   WHERE id = :sessionId AND user_id = :userId AND ended_at IS NULL AND expires_at > :now
     AND EXISTS (SELECT 1 FROM "user" WHERE id = session.user_id AND disabled_at IS NULL AND epoch = :epoch)
   RETURNING generation, rotated_at, ended_at, auth_time, last_used_at, expires_at, amr`,
  ROTATED,
);

/**
 * The statement that gives a session a new authentication time after its user authenticated again.
 */
export function renewSession(values: {
  sessionId: string;
  userId: string;
  epoch: number;
  amr: readonly string[];
  now: number;
}): Statement<Rotated> {
  return guarded(renew({ ...values, amr: JSON.stringify(values.amr) }), USER_STATE_MOVED);
}

const setAmr = raw('UPDATE session SET amr = :amr WHERE id = :sessionId');

/** The statement that says by which methods a session stands, after the user's factors changed. */
export function setSessionAmr(sessionId: string, amr: readonly string[]): Statement {
  return setAmr({ sessionId, amr: JSON.stringify(amr) });
}

const liveByUser = prepare(
  query
    .select(sessionColumns)
    .from(session)
    .where(
      and(
        eq(session.userId, sql.placeholder('userId')),
        live,
        gt(session.lastUsedAt, sql.placeholder('idleSince')),
      ),
    )
    .orderBy(sql`${session.lastUsedAt} desc, ${session.id} desc`),
);

/** The user's sessions that could still be refreshed, the last used first. */
export async function listSessions(
  { db, clock }: { db: Database; clock: Clock },
  policy: SessionPolicy,
  userId: string,
): Promise<Session[]> {
  const now = clock.now();
  return db.read(liveByUser({ userId, now, idleSince: now - policy.idle_ttl }));
}

/** When a session ends if nobody uses it again: the sooner of the idle and the absolute end. */
export function endsAt(
  policy: SessionPolicy,
  row: { lastUsedAt: number; expiresAt: number },
): number {
  return Math.min(row.expiresAt, row.lastUsedAt + policy.idle_ttl);
}

/** Commits a list that ends sessions, and knows of it at once in this process too. */
export async function writeEndings<const L extends readonly Statement[]>(
  { db, revocations }: { db: Database; revocations: Revocations },
  statements: L,
): Promise<Results<L>> {
  const results = await db.write(statements);
  await revocations.refresh();
  return results;
}
