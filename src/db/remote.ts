/**
 * Any database that @libsql/client reaches: `libsql://` and `http(s)://` (a libSQL server, Turso),
 * and, for the tests, a file. A list is sent as one batch, guards included, so that each decision
 * is made at the primary, without a separate read that another instance could overtake.
 */
import type { Client, InStatement, ResultSet } from '@libsql/client';
import type { Clock } from '../lib/clock.ts';
import { DatabaseBusy, DatabaseRefused, NothingChanged } from './database.ts';
import type { Database, Results, SqlValue, Statement } from './database.ts';
import { isBusy, isClientClosed, isNotADatabase, storeError } from './sqlite-error.ts';
import { bindable, isRead } from './values.ts';
import type { Commit } from './local.ts';

/** Milliseconds between two attempts to get a lock, chosen at random in this range. */
const RETRY_MS = { file: 12, network: 120 };
/**
 * How long the client may wait inside a call on a file. It blocks the event loop, so the rest of
 * the waiting is done by timers.
 */
const BLOCKING_WAIT_MS = 5;
/** A request that is never answered must not block its caller forever. */
const REQUEST_TIMEOUT_MS = 20_000;

const FILE_PRAGMAS = [
  'journal_mode=WAL',
  'synchronous=FULL',
  'foreign_keys=ON',
  'trusted_schema=OFF',
  'temp_store=MEMORY',
];

/**
 * Follows a guarded statement in the batch and fails if that statement changed nothing: the JSON
 * path `nothing` does not exist. The value depends on changes(), so that the query planner can't
 * evaluate it early; SQLite counts RETURNING alike.
 */
const ASSERTION: InStatement = {
  sql: `SELECT json_extract('{}', iif(changes() = 0, 'nothing', '$'))`,
  args: [],
};

export interface RemoteOptions {
  readonly authToken?: string | undefined;
  /** Only for a file. */
  readonly encryptionKey?: string | undefined;
  readonly busyTimeoutMs: number;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly warn: (message: string) => void;
  readonly onCommit?: ((commit: Commit) => void) | undefined;
}

/**
 * Connects and checks that the server answers.
 *
 * @throws {DatabaseRefused} no server answers, or it refuses the token
 */
export async function openRemote(url: string, options: RemoteOptions): Promise<Database> {
  const { busyTimeoutMs, clock } = options;
  const isFile = url.startsWith('file:');
  const client = await connect(url, options, isFile);
  let marks = 0;
  let closed = false;
  /** Serialises writes to a file; a server orders writes itself. */
  let lastWrite: Promise<unknown> = Promise.resolve();

  async function patiently<T>(call: () => Promise<T>): Promise<T> {
    const deadline = clock.monotonic() + busyTimeoutMs;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        await awaitRetry(error, deadline);
      }
    }
  }

  /**
   * Waits until a failed call may be repeated.
   *
   * @throws {DatabaseBusy} the deadline has passed
   * @throws the error itself, when no repetition would help
   */
  async function awaitRetry(error: unknown, deadline: number): Promise<void> {
    const cutOff = isFile && !closed && isClientClosed(error);
    if (!isBusy(error) && !cutOff) throw error;
    // After BUSY a connection keeps "succeeding" in a transaction that never commits (T11).
    if (isFile && !cutOff) await reconnect();
    if (clock.monotonic() >= deadline)
      throw new DatabaseBusy('another process holds the database', { cause: error });
    await pause(isFile ? RETRY_MS.file : RETRY_MS.network);
  }

  async function reconnect(): Promise<void> {
    await client.reconnect();
    await setPragmas();
  }
  /** Pragmas apply to one connection; `concurrency: 1` keeps a file to one. */
  async function setPragmas(): Promise<void> {
    for (const pragma of FILE_PRAGMAS) {
      try {
        await client.execute(`PRAGMA ${pragma}`);
      } catch (error) {
        if (!isBusy(error)) throw error;
        // The journal mode is stored in the file; whoever holds the lock has set WAL already.
        await client.reconnect();
      }
    }
  }

  try {
    if (isFile) await patiently(setPragmas);
    else await meet(client, url, options.warn);
  } catch (error) {
    client.close();
    throw error;
  }

  return {
    async read<Row>(statement: Statement<Row>): Promise<Row[]> {
      if (closed) throw new Error('the database is closed');
      if (!isRead(statement.sql)) throw new Error('read was given a statement that writes');
      const prepared = { sql: statement.sql, args: bindable(statement.params) };
      return statement.map(rowsOf(await patiently(() => client.execute(prepared))));
    },
    async write<const L extends readonly Statement[]>(statements: L): Promise<Results<L>> {
      if (closed) throw new Error('the database is closed');
      const batch = toBatch(statements);
      const run = async (): Promise<ResultSet[]> => {
        const started = clock.monotonic();
        const results = await patiently(() => client.batch(batch.statements, 'write'));
        options.onCommit?.({
          lists: 1,
          statements: statements.length,
          durationMs: clock.monotonic() - started,
        });
        return results;
      };
      if (statements.length === 0) return [] as Results<L>;
      const written = isFile ? lastWrite.then(run) : run();
      lastWrite = Promise.allSettled([written, lastWrite]);
      try {
        const results = await written;
        // Each statement's own `map` made its rows; the compiler can't follow that through a list.
        return statements.map((statement, at) =>
          statement.map(rowsOf(results[batch.places[at] ?? -1])),
        ) as Results<L>;
      } catch (error) {
        const guard = batch.guards.get(failedAt(error));
        throw guard === undefined || isBusy(error) ? storeError(error) : new NothingChanged(guard);
      }
    },
    changeMark: () => (marks += 1),
    async close() {
      if (closed) return;
      closed = true;
      await lastWrite;
      client.close();
    },
  };
}

async function connect(url: string, options: RemoteOptions, isFile: boolean): Promise<Client> {
  // Loaded on demand: a local file needs no client, and the process stays smaller.
  const { createClient } = await import('@libsql/client');
  const { authToken, encryptionKey } = options;
  try {
    return createClient({
      url,
      intMode: 'number',
      ...(authToken === undefined ? {} : { authToken }),
      ...(encryptionKey === undefined ? {} : { encryptionKey }),
      ...(isFile ? { concurrency: 1, timeout: BLOCKING_WAIT_MS } : { fetch: fetchInTime }),
    });
  } catch (cause) {
    if (isBusy(cause)) throw new DatabaseBusy('another process holds the database', { cause });
    if (isNotADatabase(cause)) throw cause;
    throw new DatabaseRefused(
      `database.url can't be used: ${where(url)} is refused by the driver.`,
      { cause },
    );
  }
}

/**
 * The client has no time limit of its own. A write that is cut off here may or may not have
 * happened, as after any lost connection.
 */
function fetchInTime(request: Request): Promise<Response> {
  return fetch(request, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
}

async function meet(client: Client, url: string, warn: (message: string) => void): Promise<void> {
  try {
    await client.execute('SELECT 1');
  } catch (cause) {
    throw new DatabaseRefused(
      `The database at ${where(url)} doesn't answer, or not to this database.auth_token.`,
      { cause },
    );
  }
  try {
    const [enforced] = rowsOf(await client.execute('PRAGMA foreign_keys'));
    if (enforced?.[0] === 0)
      warn(
        `The database at ${where(url)} doesn't enforce foreign keys: rows of deleted users would stay.`,
      );
  } catch {
    // A server may refuse PRAGMAs; libSQL's own server enforces foreign keys by default.
  }
}

/** The database's location without the secret parts of its URL. */
function where(url: string): string {
  try {
    const { protocol, host } = new URL(url);
    return `${protocol}//${host}`;
  } catch {
    return 'that URL';
  }
}

interface Batch {
  readonly statements: InStatement[];
  /** The index of each statement's result in the batch. */
  readonly places: readonly number[];
  /** The guard's word by the index of its assertion. */
  readonly guards: ReadonlyMap<number, string>;
}

function toBatch(list: readonly Statement[]): Batch {
  const statements: InStatement[] = [];
  const places: number[] = [];
  const guards = new Map<number, string>();
  for (const { sql, params, guard } of list) {
    places.push(statements.push({ sql, args: bindable(params) }) - 1);
    if (guard !== undefined) guards.set(statements.push(ASSERTION) - 1, guard);
  }
  return { statements, places, guards };
}

/** The statement of a batch that failed, or -1. */
function failedAt(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('statementIndex' in error)) return -1;
  return typeof error.statementIndex === 'number' ? error.statementIndex : -1;
}

/** Converts the client's rows to the common form: values in column order, blobs as bytes. */
function rowsOf(result: ResultSet | undefined): SqlValue[][] {
  if (result === undefined) throw new Error('the batch came back with a result missing');
  const width = result.columns.length;
  return result.rows.map((row) => {
    const values = new Array<SqlValue>(width);
    for (let at = 0; at < width; at++) {
      const value = row[at] ?? null;
      values[at] = value instanceof ArrayBuffer ? Buffer.from(value) : value;
    }
    return values;
  });
}

function pause(mostMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * mostMs));
}
