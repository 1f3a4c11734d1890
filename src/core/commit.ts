/**
 * The one way to write. It does what every commit needs besides its statements: guards carry their
 * refusal, the session is checked again, ended sessions are known at once in this process, and the
 * courier learns of new emails.
 */
import { and, eq, exists, isNull, sql } from 'drizzle-orm';
import { NothingChanged, UniqueViolation } from '../db/database.ts';
import type { Database, Statement } from '../db/database.ts';
import { given, prepare, query } from '../db/prepare.ts';
import { isRefusalCode, Refusal } from '../refusal.ts';
import type { Context } from './context.ts';
import { isRecording } from './audit/audited-event.ts';
import type { AuditedEvent } from './audit/audited-event.ts';
import type { AuditRows } from './audit/audit-row.ts';
import type { Committed } from './audit/committed.ts';
import { guarded } from './guards.ts';
import { session } from './session/tables.ts';
import { user } from './user/tables.ts';

export type { Committed };

export interface Commit {
  /**
   * Commits all of the statements or none, and resolves when they are durable. What `recorded` made
   * becomes a row of the audit log, and a log line afterwards. If the context has a
   * principal, its session must still be live.
   *
   * @throws {Refusal} session_revoked, and the refusals of the guards; nothing was changed
   */
  (context: Context, statements: readonly Statement[]): Promise<Committed>;
  /**
   * The same, whether or not the principal's session is live: for writes that must happen even
   * after the session ended (a counted attempt, a notice).
   */
  inAnySession(statements: readonly Statement[]): Promise<Committed>;
}

const sessionIsLive = prepare(
  query
    .update(session)
    .set({ generation: sql`${session.generation}` })
    .where(
      and(
        eq(session.id, given('sessionId')),
        isNull(session.endedAt),
        exists(
          query
            .select({ id: user.id })
            .from(user)
            .where(and(eq(user.id, session.userId), isNull(user.disabledAt))),
        ),
      ),
    ),
);

export interface CommitDeps {
  readonly db: Database;
  readonly auditRows: AuditRows;
  /** Reloads the ended sessions. */
  readonly refreshRevocations: () => Promise<void>;
  /** Makes the courier check the outbox. */
  readonly wakeCourier: () => void;
  /** Makes the next request reload its API key, in a process that caches them. */
  readonly forgetApiKeys?: () => void;
}

export function createCommit(deps: CommitDeps): Commit {
  const { db, refreshRevocations, wakeCourier } = deps;
  const write = async (statements: readonly Statement[]): Promise<Committed> => {
    let results: readonly unknown[][];
    try {
      results = await db.write(statements);
    } catch (error) {
      throw refusalOf(error, statements);
    }
    const has = (wanted: Statement['afterwards']): boolean =>
      statements.some(({ afterwards }) => afterwards === wanted);
    // Most sign-ins end no session, and their statement says so.
    const endsSessions = statements.some(
      ({ afterwards, returns }, at) =>
        afterwards === 'refresh_revocations' && !(returns && results[at]?.length === 0),
    );
    if (endsSessions) await refreshRevocations();
    if (has('wake_courier')) wakeCourier();
    if (has('forget_api_keys')) deps.forgetApiKeys?.();
    return {
      rowsOf: <Row>(statement: Statement<Row>): readonly Row[] => {
        const rows = results[statements.indexOf(statement)];
        if (rows === undefined) throw new Error('the statement is not of this commit');
        // This same statement mapped the rows.
        return rows as Row[];
      },
    };
  };
  const commit = async (context: Context, statements: readonly Statement[]): Promise<Committed> => {
    const { principal } = context;
    const records = statements
      .filter(isRecording)
      .map((one) => ({ one, row: deps.auditRows.insertOf(context, one.record) }));
    const rowOf = (statement: Statement) => records.find(({ one }) => one === statement)?.row;
    const all =
      records.length === 0
        ? statements
        : statements.map((statement) => rowOf(statement) ?? statement);
    const done = await write(
      principal === null
        ? all
        : [guarded(sessionIsLive({ sessionId: principal.session.id }), 'session_revoked'), ...all],
    );
    for (const { one, row } of records)
      if (!row.returns || done.rowsOf(row).length > 0) logRecord(context, one.record, done);
    return done;
  };
  const inAnySession = async (statements: readonly Statement[]): Promise<Committed> => {
    // Without a context nobody would know who did it.
    if (statements.some(isRecording)) throw new Error('an event is recorded with a context');
    return write(statements);
  };
  return Object.assign(commit, { inAnySession });
}

function logRecord({ log }: Context, record: AuditedEvent, done: Committed): void {
  const { level, name, message, fields, afterwards } = record;
  const more = afterwards?.(done);
  log.write(level, name, message, more === undefined ? fields : { ...fields, ...more });
}

/** The budgets are per hour and free up continuously. */
const BUDGET_WAIT_SECONDS = 60;

/** The refusal that the failed statement carries; a failure without one is an unexpected error. */
function refusalOf(error: unknown, statements: readonly Statement[]): unknown {
  if (error instanceof NothingChanged && isRefusalCode(error.guard)) {
    const isBudget = error.guard === 'overloaded';
    const wait = isBudget ? { retryAfterSeconds: BUDGET_WAIT_SECONDS } : {};
    return new Refusal(error.guard, { ...wait, cause: error });
  }
  if (!(error instanceof UniqueViolation)) return error;
  const named = statements.filter(({ conflict }) => conflict !== undefined);
  const { conflict: code } =
    named.find(({ conflictOn = '' }) => error.columns.includes(conflictOn)) ??
    named.find(({ conflictOn }) => conflictOn === undefined) ??
    {};
  return code !== undefined && isRefusalCode(code) ? new Refusal(code, { cause: error }) : error;
}
