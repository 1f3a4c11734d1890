/** Uses the refresh token of one generation: rotation, grace and reuse (D2, RFC 9700 §4.14.2). */
import { hash } from 'node:crypto';
import { and, eq, exists, gt, isNull, not, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { given, prepare, prepareUpdateOfOne, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import { user } from '../user/tables.ts';
import { userById } from '../user/user.ts';
import type { User } from '../user/user.ts';
import { networkOf } from '../requester.ts';
import type { Requester } from '../requester.ts';
import { REVOCATION_KEPT_MS } from './session.ts';
import type { Session, SessionLimits } from './session.ts';
import { revocation, session } from './tables.ts';

const rotatedColumns = {
  generation: session.generation,
  rotatedAt: session.rotatedAt,
  endedAt: session.endedAt,
  authTime: session.authTime,
  lastUsedAt: session.lastUsedAt,
  expiresAt: session.expiresAt,
  factors: session.factors,
  statusIndex: session.statusIndex,
};

type Rotated = RowOfColumns<typeof rotatedColumns>;

/** A session that can be refreshed, of a user who is enabled. */
const isUsable = and(
  eq(session.id, given('sessionId')),
  eq(session.userId, given('userId')),
  isNull(session.endedAt),
  gt(session.expiresAt, given('now')),
  sql`${session.lastUsedAt} > ${given('now')} - ${given('idleTtlMs')}`,
  exists(
    query
      .select({ id: user.id })
      .from(user)
      .where(and(eq(user.id, session.userId), isNull(user.disabledAt))),
  ),
);

const isCurrent = sql`${session.generation} = ${given('generation')}`;

/** Maximum clock step backwards after which a rotation in the future still counts as recent. */
const CLOCK_BACK_MS = 60_000;

/**
 * Whether the last rotation is so recent that another one is not needed; a sign-in does not count.
 */
const isYoung = sql`(${session.generation} > 0 AND ${given('graceMs')} > 0 AND ${given('now')} - ${session.rotatedAt} BETWEEN ${-CLOCK_BACK_MS} AND ${given('graceMs')})`;

/** The usual case, as one conditional update: the live generation is incremented. */
const advance = prepareUpdateOfOne(
  query
    .update(session)
    .set({
      generation: sql`${session.generation} + 1`,
      rotatedAt: given('now'),
      rotatedBy: given('client'),
      lastUsedAt: given('now'),
    })
    .where(and(isUsable, isCurrent, not(isYoung)))
    .returning(rotatedColumns),
);

const live = prepare(
  query
    .select({ ...rotatedColumns, rotatedBy: session.rotatedBy })
    .from(session)
    .where(isUsable)
    .limit(1),
);

/**
 * A generation never comes back, so that one that is not the live one stays so; the condition is
 * there for a rotation in between.
 */
const endReused = prepare(
  query
    .update(session)
    .set({ endedAt: given('now'), endReason: given('reason') })
    .where(and(isUsable, not(isCurrent)))
    .returning({ id: session.id }),
);

const revokeReused = prepare(
  query.insert(revocation).select(
    query
      .select({
        seq: sql<number>`NULL`.as('seq'),
        sessionId: session.id,
        statusIndex: session.statusIndex,
        expiresAt: given('until').as('expires_at'),
      })
      .from(session)
      .where(
        and(
          eq(session.id, given('sessionId')),
          eq(session.endedAt, given('now')),
          eq(session.endReason, given('reason')),
        ),
      ),
  ),
);

const fateOf = prepare(
  query
    .select({
      endedAt: session.endedAt,
      expiresAt: session.expiresAt,
      lastUsedAt: session.lastUsedAt,
      disabledAt: user.disabledAt,
    })
    .from(session)
    .innerJoin(user, eq(user.id, session.userId))
    .where(and(eq(session.id, given('sessionId')), eq(session.userId, given('userId'))))
    .limit(1),
);

/** The content of a refresh token. */
export interface RefreshSubject {
  readonly sessionId: string;
  readonly userId: string;
  readonly generation: number;
}

export type RotationRefusal = 'expired' | 'ended' | 'disabled' | 'unknown';

/** A refresh that returned tokens. */
export interface Refreshed {
  /**
   * `rotated`: the next generation; `grace`: the same successor again, for a token that was just
   * used; `kept`: the live token is so young that it is kept.
   */
  readonly outcome: 'rotated' | 'grace' | 'kept';
  readonly session: Omit<Rotated, 'endedAt'> & Pick<Session, 'id'>;
  /** Where it was read along; null when it is yet to be read. */
  readonly user: User | null;
}

export type Rotation =
  | Refreshed
  | { readonly outcome: 'reused' }
  /** The token is newer than its session: the database was restored from a backup. */
  | { readonly outcome: 'rolled_back' }
  | { readonly outcome: 'refused'; readonly why: RotationRefusal };

/** A hash of the requester, as far as the grace compares it. */
export function clientOf(requester: Pick<Requester, 'ip' | 'userAgent'>): string {
  const text = `${networkOf(requester)}\n${requester.userAgent ?? ''}`;
  return hash('sha256', text, 'base64url').slice(0, 22);
}

export interface RotationRequest extends RefreshSubject {
  /** From `clientOf`. */
  readonly client: string;
  readonly now: number;
}

type LiveSession = Rotated & { readonly rotatedBy: string | null };

/** The outcome for a generation that could not be rotated, from the current row; null for reuse. */
function graceOf(
  row: LiveSession,
  { generation, client, now }: RotationRequest,
  graceMs: number,
): 'grace' | 'kept' | null {
  const age = now - row.rotatedAt;
  if (graceMs === 0 || age > graceMs || age < -CLOCK_BACK_MS) return null;
  if (row.generation === generation) return 'kept';
  // A reauthentication skips a generation: tokens from before it get no grace.
  return row.generation === generation + 1 && row.rotatedBy === client ? 'grace' : null;
}

/** Uses the refresh token of one generation. */
export async function rotateSession(
  db: Database,
  { idleTtlMs, refreshGraceMs: graceMs }: SessionLimits,
  request: RotationRequest,
): Promise<Rotation> {
  const { sessionId, userId, generation, client, now } = request;
  const values = { sessionId, userId, generation, now, idleTtlMs };
  // The user is read in the same transaction, because a separate read would need another one.
  const [[advanced], [user = null]] = await db.write([
    advance({ graceMs, client, ...values }),
    userById({ id: userId }),
  ]);
  if (advanced !== undefined)
    return { outcome: 'rotated', session: { id: sessionId, ...advanced }, user };
  const [row] = await db.read(live(values));
  const outcome = row === undefined ? null : graceOf(row, request, graceMs);
  if (row !== undefined && outcome !== null)
    return { outcome, session: { id: sessionId, ...row }, user };
  // This database never issued a generation later than the live one: it was restored.
  const isRolledBack = row !== undefined && row.generation < generation;
  const reason = isRolledBack ? 'rolled_back' : 'token_reused';
  const [ended] = await db.write([
    endReused({ reason, ...values }),
    revokeReused({ sessionId, now, reason, until: now + REVOCATION_KEPT_MS }),
  ]);
  if (ended.length > 0) return { outcome: reason === 'token_reused' ? 'reused' : reason };
  const [fate] = await db.read(fateOf({ sessionId, userId }));
  return { outcome: 'refused', why: whyRefused(fate, now, idleTtlMs) };
}

/**
 * The same without a write: the live token is kept, its parent gets the grace, and any other
 * generation is reuse, to be recorded later.
 */
export async function readRotation(
  db: Pick<Database, 'read'>,
  { idleTtlMs, refreshGraceMs }: SessionLimits,
  request: RotationRequest,
): Promise<Rotation> {
  const { sessionId, userId, generation, now } = request;
  const [row] = await db.read(live({ sessionId, userId, now, idleTtlMs }));
  if (row === undefined) {
    const [fate] = await db.read(fateOf({ sessionId, userId }));
    return { outcome: 'refused', why: whyRefused(fate, now, idleTtlMs) };
  }
  const session = { id: sessionId, ...row };
  if (row.generation === generation) return { outcome: 'kept', session, user: null };
  const outcome = graceOf(row, request, refreshGraceMs);
  return outcome === null ? { outcome: 'reused' } : { outcome, session, user: null };
}

interface Fate extends Pick<Rotated, 'endedAt' | 'expiresAt' | 'lastUsedAt'> {
  readonly disabledAt: number | null;
}

/** Only chooses the code of a refusal that was already decided. */
function whyRefused(fate: Fate | undefined, now: number, idleTtlMs: number): RotationRefusal {
  if (fate === undefined) return 'unknown';
  if (fate.disabledAt !== null) return 'disabled';
  if (fate.endedAt !== null) return 'ended';
  const isOver = fate.expiresAt <= now || fate.lastUsedAt <= now - idleTtlMs;
  return isOver ? 'expired' : 'ended';
}
