/** Reading the audit log: in order, by filters, one event. */
import { and, asc, desc, eq, gt, gte, lt, lte, sql } from 'drizzle-orm';
import type { SQL } from 'drizzle-orm';
import type { Database } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import type { RowOfColumns } from '../../db/prepare.ts';
import type { AuditData, PersonalPart } from './audit-row.ts';
import { auditEvent } from './tables.ts';

type Reader = Pick<Database, 'read'>;

const columns = {
  seq: auditEvent.seq,
  data: auditEvent.data,
  personal: auditEvent.personal,
  salt: auditEvent.salt,
  at: auditEvent.at,
};

/** A row as it is stored. */
export type AuditRow = RowOfColumns<typeof columns>;

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

const after = prepare(
  query
    .select(columns)
    .from(auditEvent)
    .where(gt(auditEvent.seq, given('after')))
    .orderBy(asc(auditEvent.seq))
    .limit(sql.placeholder('limit')),
);

/** Rows after a place, in the order of their commits. */
export async function auditAfter(
  db: Reader,
  place: number,
  limit: number,
): Promise<readonly AuditRow[]> {
  return db.read(after({ after: place, limit }));
}

const last = prepare(
  query.select({ seq: auditEvent.seq }).from(auditEvent).orderBy(desc(auditEvent.seq)).limit(1),
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

const inTime = [gte(auditEvent.at, given('since')), lt(auditEvent.at, given('until'))];
const outcome = sql`(${given('outcome')} = '' OR ${auditEvent.outcome} = ${given('outcome')})`;

const page = (...conditions: readonly SQL[]) =>
  prepare(
    query
      .select(columns)
      .from(auditEvent)
      .where(and(lte(auditEvent.seq, given('before')), ...conditions, ...inTime, outcome))
      .orderBy(desc(auditEvent.seq))
      .limit(sql.placeholder('limit')),
  );

const ofUser = eq(auditEvent.userId, given('user'));
const ofEvent = eq(auditEvent.event, given('event'));
const PAGES = {
  all: page(),
  user: page(ofUser),
  event: page(ofEvent),
  both: page(ofUser, ofEvent),
};

function pageOf({ user, event }: AuditFilter) {
  if (user !== undefined) return event === undefined ? PAGES.user : PAGES.both;
  return event === undefined ? PAGES.all : PAGES.event;
}

/** A page of events, newest first; what is recorded meanwhile moves nothing. */
export async function searchAudit(db: Reader, filter: AuditFilter): Promise<readonly AuditRow[]> {
  return db.read(
    pageOf(filter)({
      user: filter.user ?? '',
      event: filter.event ?? '',
      outcome: filter.outcome ?? '',
      since: filter.since ?? 0,
      until: filter.until ?? Number.MAX_SAFE_INTEGER,
      before: (filter.before ?? Number.MAX_SAFE_INTEGER) - 1,
      limit: filter.limit,
    }),
  );
}
