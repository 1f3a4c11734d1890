/** Using the refresh token of one generation: rotation, grace and reuse (D2, RFC 9700 §4.14.2). */
import { and, eq, exists, gt, isNull, sql } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import { user } from '../user/tables.ts';
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

/** A session that could be refreshed, of a user who is enabled. */
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

/** A clock that was set back by up to a minute doesn't make a retry look like reuse. */
const isGrace = sql`(${session.generation} = ${given('generation')} + 1 AND ${given('graceMs')} > 0 AND ${given('now')} - ${session.rotatedAt} BETWEEN -60000 AND ${given('graceMs')})`;

/** The usual case by itself, in one look at the row: the live generation moves on. */
const advance = prepare(
  query
    .update(session)
    .set({
      generation: sql`${session.generation} + 1`,
      rotatedAt: given('now'),
      lastUsedAt: given('now'),
    })
    .where(and(isUsable, isCurrent))
    .returning(rotatedColumns),
);

/**
 * All cases in one statement: the live generation moves on; the parent of the live one within the
 * grace changes nothing, so that it gets the same successor again; every other one ends the session.
 */
const rotate = prepare(
  query
    .update(session)
    .set({
      rotatedAt: sql`CASE WHEN ${isCurrent} THEN ${given('now')} ELSE ${session.rotatedAt} END`,
      lastUsedAt: sql`CASE WHEN ${isCurrent} THEN ${given('now')} ELSE ${session.lastUsedAt} END`,
      endedAt: sql`CASE WHEN ${isCurrent} OR ${isGrace} THEN NULL ELSE ${given('now')} END`,
      endReason: sql`CASE WHEN ${isCurrent} OR ${isGrace} THEN NULL ELSE 'token_reused' END`,
      generation: sql`CASE WHEN ${isCurrent} THEN ${session.generation} + 1 ELSE ${session.generation} END`,
    })
    .where(isUsable)
    .returning(rotatedColumns),
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
          eq(session.endReason, 'token_reused'),
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

/** What a refresh token says. */
export interface RefreshSubject {
  readonly sessionId: string;
  readonly userId: string;
  readonly generation: number;
}

export type RotationRefusal = 'expired' | 'ended' | 'disabled' | 'unknown';

export type Rotation =
  | {
      readonly outcome: 'rotated' | 'grace';
      readonly session: Omit<Rotated, 'endedAt'> & Pick<Session, 'id'>;
    }
  | { readonly outcome: 'reused' }
  | { readonly outcome: 'refused'; readonly why: RotationRefusal };

/** Uses the refresh token of one generation. */
export async function rotateSession(
  db: Database,
  { idleTtlMs, refreshGraceMs: graceMs }: SessionLimits,
  { sessionId, userId, generation }: RefreshSubject,
  now: number,
): Promise<Rotation> {
  const values = { sessionId, userId, generation, now, idleTtlMs };
  const [[advanced]] = await db.write([advance(values)]);
  if (advanced !== undefined)
    return { outcome: 'rotated', session: { ...advanced, id: sessionId } };
  // Every case again, for what the row was a moment ago may have changed.
  const [[row]] = await db.write([
    rotate({ ...values, graceMs }),
    revokeReused({ sessionId, now, until: now + REVOCATION_KEPT_MS }),
  ]);
  if (row === undefined) {
    const [fate] = await db.read(fateOf({ sessionId, userId }));
    return { outcome: 'refused', why: whyRefused(fate, now, idleTtlMs) };
  }
  if (row.endedAt !== null) return { outcome: 'reused' };
  return { outcome: 'grace', session: { ...row, id: sessionId } };
}

interface Fate extends Pick<Rotated, 'endedAt' | 'expiresAt' | 'lastUsedAt'> {
  readonly disabledAt: number | null;
}

/** Only chooses the words of a refusal that has already happened. */
function whyRefused(fate: Fate | undefined, now: number, idleTtlMs: number): RotationRefusal {
  if (fate === undefined) return 'unknown';
  if (fate.disabledAt !== null) return 'disabled';
  if (fate.endedAt !== null) return 'ended';
  const isOver = fate.expiresAt <= now || fate.lastUsedAt <= now - idleTtlMs;
  return isOver ? 'expired' : 'ended';
}
