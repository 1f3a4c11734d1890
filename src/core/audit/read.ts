/** Reading the audit log: in order, by filters, one event. */
import { and, asc, desc, eq, gt, gte, lt, lte, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Database, SqlValue } from '../../db/database.ts';
import { given, prepare, query, raw } from '../../db/prepare.ts';
import type { AuditData, PersonalPart } from './audit-row.ts';
import { firstIdAt } from '../../lib/id.ts';
import { auditEvent } from './tables.ts';

type Reader = Pick<Database, 'read'>;

const columns = {
  seq: auditEvent.seq,
  data: auditEvent.data,
  personal: auditEvent.personal,
  salt: auditEvent.salt,
};

/** A row as it is stored. */
export interface AuditRow {
  readonly seq: number;
  readonly data: string;
  readonly personal: string | null;
  readonly salt: Uint8Array | null;
}

/** An event as it is shown. */
export interface ShownEvent extends Omit<AuditData, 'personal'> {
  readonly seq: number;
  /** Null when it was erased, or there is none. */
  readonly personal: Partial<PersonalPart> | null;
}

/** What this program wrote: nothing else writes to the table, and `verify` says so if it did. */
export function shownEvent({ seq, data, personal }: AuditRow): ShownEvent {
  const { personal: _, ...event } = JSON.parse(data);
  return { seq, ...event, personal: personal === null ? null : JSON.parse(personal) };
}

// By hand: ten million rows are read this way, and drizzle's mapping is a tenth of the time.
const after = raw<AuditRow>(
  'SELECT "seq", "data", "personal", "salt" FROM "audit_event" WHERE "seq" > :after ORDER BY "seq" LIMIT :limit',
  storedRow,
);

/** SQLite checks no types: what is of another one was not written by this program. */
function storedRow([seq, data, personal, salt]: readonly SqlValue[]): AuditRow {
  return {
    seq: Number(seq),
    data: typeof data === 'string' ? data : '',
    personal: typeof personal === 'string' ? personal : null,
    salt: salt instanceof Uint8Array ? salt : null,
  };
}

/** Rows after a place, in the order of their commits. */
export async function auditAfter(
  db: Reader,
  place: number,
  limit: number,
): Promise<readonly AuditRow[]> {
  return db.read(after({ after: place, limit }));
}

const last = prepare(
  query
    .select({ seq: auditEvent.seq })
    .from(auditEvent)
    .where(gt(auditEvent.seq, 0))
    .orderBy(desc(auditEvent.seq))
    .limit(1),
);

/** The place of the last row; 0 without any. */
export async function lastAudited(db: Reader): Promise<number> {
  return (await db.read(last()))[0]?.seq ?? 0;
}

const byId = prepare(
  query
    .select(columns)
    .from(auditEvent)
    .where(eq(auditEvent.id, given('id')))
    .limit(1),
);

export async function findAudited(db: Reader, id: string): Promise<AuditRow | null> {
  return (await db.read(byId({ id })))[0] ?? null;
}

/** Newest first. */
export interface AuditFilter {
  readonly user?: string | undefined;
  readonly event?: string | undefined;
  readonly outcome?: 'success' | 'failure' | undefined;
  /** Milliseconds since 1970, inclusive. */
  readonly since?: number | undefined;
  /** Exclusive. */
  readonly until?: number | undefined;
  readonly limit: number;
  /** Only rows before this place. */
  readonly before?: number | undefined;
}

const firstSince = prepare(
  query
    .select({ seq: auditEvent.seq })
    .from(auditEvent)
    .where(gte(auditEvent.id, given('first')))
    .orderBy(asc(auditEvent.id))
    .limit(1),
);
const lastUntil = prepare(
  query
    .select({ seq: auditEvent.seq })
    .from(auditEvent)
    .where(lt(auditEvent.id, given('end')))
    .orderBy(desc(auditEvent.id))
    .limit(1),
);

interface Places {
  readonly from: number;
  readonly to: number;
}

/**

 * The places of a time span, so that no page walks over what is outside: ids begin with the time,
 * and rise with places, but for several processes at once. Null when nothing is in it.
 */
async function placesOf(db: Reader, { since, until, before }: AuditFilter): Promise<Places | null> {
  const [first] =
    since === undefined ? [{ seq: 0 }] : await db.read(firstSince({ first: firstIdAt(since) }));
  const [end] =
    until === undefined
      ? [{ seq: Number.MAX_SAFE_INTEGER }]
      : await db.read(lastUntil({ end: firstIdAt(until) }));
  if (first === undefined || end === undefined) return null;
  return { from: first.seq, to: Math.min(end.seq, (before ?? Number.MAX_SAFE_INTEGER) - 1) };
}

const page = (...conditions: readonly SQL[]) =>
  prepare(
    query
      .select(columns)
      .from(auditEvent)
      .where(
        and(...conditions, gte(auditEvent.seq, given('from')), lte(auditEvent.seq, given('to'))),
      )
      .orderBy(desc(auditEvent.seq))
      .limit(sql.placeholder('limit')),
  );

const ofUser = eq(auditEvent.userId, given('user'));
const ofEvent = eq(auditEvent.event, given('event'));
const failed = sql`${auditEvent.outcome} = 'failure'`;
const succeeded = sql`${auditEvent.outcome} = 'success'`;
/** By which of user, event and outcome are asked for; an outcome as a literal has its index. */
const PAGES = {
  '': page(),
  f: page(failed),
  s: page(succeeded),
  e: page(ofEvent),
  ef: page(ofEvent, failed),
  es: page(ofEvent, succeeded),
  u: page(ofUser),
  uf: page(ofUser, failed),
  us: page(ofUser, succeeded),
  ue: page(ofUser, ofEvent),
  uef: page(ofUser, ofEvent, failed),
  ues: page(ofUser, ofEvent, succeeded),
} as const;

const INITIALS = { success: 's', failure: 'f' } as const;

function pageOf({ user, event, outcome }: AuditFilter) {
  const u = user === undefined ? '' : 'u';
  const e = event === undefined ? '' : 'e';
  const o = outcome === undefined ? '' : INITIALS[outcome];
  return PAGES[`${u}${e}${o}`];
}

/** A page of events, newest first; what is recorded meanwhile moves nothing. */
export async function searchAudit(db: Reader, filter: AuditFilter): Promise<readonly AuditRow[]> {
  const places = await placesOf(db, filter);
  if (places === null) return [];
  const { user = '', event = '', limit } = filter;
  return db.read(pageOf(filter)({ user, event, limit, ...places }));
}
