/**
 * The one way to write. What a commit needs besides its statements is not a convention to remember:
 * guards carry their refusal, the session is checked again, ended sessions are known at once in this
 * process, and the courier hears of emails that wait.
 */
import { and, eq, exists, isNull, sql } from 'drizzle-orm';
import { NothingChanged, UniqueViolation } from '../db/database.ts';
import type { Database, Statement } from '../db/database.ts';
import { given, prepare, query } from '../db/prepare.ts';
import { isRefusalCode, Refusal } from '../refusal.ts';
import type { Context } from './context.ts';
import { guarded } from './guards.ts';
import { session } from './session/tables.ts';
import { user } from './user/tables.ts';

/** The rows that the statements of a commit yielded. */
export interface Committed {
  /** The rows of one of the statements that were committed. */
  rowsOf<Row>(statement: Statement<Row>): readonly Row[];
}

export interface Commit {
  /**
   * Commits the statements, all or none, and resolves when they are durable. With a principal, its
   * session has to be live still.
   *
   * @throws {Refusal} session_revoked, and the refusals of the guards; nothing was changed
   */
  (context: Context, statements: readonly Statement[]): Promise<Committed>;
  /**
   * The same, whether or not the session of the principal is live: for what an ended session must
   * not undo (a counted attempt, a notice of a refusal).
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
  /** Reads the ended sessions anew. */
  readonly refreshRevocations: () => Promise<void>;
  /** Has the courier look at the outbox. */
  readonly wakeCourier: () => void;
  /** Has the next request read its API key anew; for a process that keeps them. */
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
        // The rows were mapped by this very statement.
        return rows as Row[];
      },
    };
  };
  const commit = ({ principal }: Context, statements: readonly Statement[]): Promise<Committed> => {
    if (principal === null) return write(statements);
    const check = sessionIsLive({ sessionId: principal.session.id });
    return write([guarded(check, 'session_revoked'), ...statements]);
  };
  return Object.assign(commit, { inAnySession: write });
}

/** Budgets are those of an hour, and empty all the time. */
const BUDGET_WAIT_SECONDS = 60;

/** The refusal that a statement of the list carries; what has none is a fault, and stays one. */
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
