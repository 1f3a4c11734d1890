/**
 * Any database that @libsql/client reaches: `libsql://` and `http(s)://` (a libSQL server, Turso),
 * and, mostly for the test suite, a file. A list goes out as one batch, guards included, so that
 * each decision falls at the primary without a read that another machine could overtake.
 */
import type { Client, InStatement, ResultSet } from '@libsql/client';
import type { Clock } from '../lib/clock.ts';
import { DatabaseBusy, DatabaseRefused, NothingChanged } from './database.ts';
import type { Database, Results, SqlValue, Statement } from './database.ts';
import { isBusy, isClientClosed, isNotADatabase, storeError } from './sqlite-error.ts';
import { bindable, isRead } from './values.ts';
import type { Commit } from './local.ts';

/** Milliseconds between two tries for a lock, chosen at random within. */
const RETRY_MS = { file: 12, network: 120 };
/**
 * What the client may wait inside a call on a file: it blocks the event loop, so that waiting is
 * done by timers.
 */
const BLOCKING_WAIT_MS = 5;
/** A request that is never answered must not hold its caller for ever. */
const REQUEST_TIMEOUT_MS = 20_000;

const FILE_PRAGMAS = [
  'journal_mode=WAL',
  'synchronous=FULL',
  'foreign_keys=ON',
  'trusted_schema=OFF',
  'temp_store=MEMORY',
];

/**
 * Stands behind a guarded statement in the batch and fails it when that statement changed nothing:
 * there is no such path as `nothing`. The value depends on changes(), so that no planner works it
 * out ahead; and SQLite counts RETURNING alike.
 */
const ASSERTION: InStatement = {
  sql: `SELECT json_extract('{}', iif(changes() = 0, 'nothing', '$'))`,
  args: [],
};

export interface RemoteOptions {
  readonly authToken?: string | undefined;
  /** For a file only. */
  readonly encryptionKey?: string | undefined;
  readonly busyTimeoutMs: number;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly warn: (message: string) => void;
  readonly onCommit?: ((commit: Commit) => void) | undefined;
}

/**
 * Connects and makes sure that somebody answers.
 *
 * @throws {DatabaseRefused} nobody answers there, or not to this token
 */
export async function openRemote(url: string, options: RemoteOptions): Promise<Database> {
  const { busyTimeoutMs, clock } = options;
  const isFile = url.startsWith('file:');
  const client = await connect(url, options, isFile);
  let marks = 0;
  let closed = false;
  /** The one writer of a file; a server takes writes in its own order. */
  let lastWrite: Promise<unknown> = Promise.resolve();

  async function patiently<T>(call: () => Promise<T>): Promise<T> {
    const deadline = clock.monotonic() + busyTimeoutMs;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const cutOff = isFile && !closed && isClientClosed(error);
        if (!isBusy(error) && !cutOff) throw error;
        // A connection that met BUSY goes on "succeeding" in a transaction that never commits
        // (T11).
        if (isFile && !cutOff) await reconnect();
        if (clock.monotonic() >= deadline)
          throw new DatabaseBusy('another process holds the database', { cause: error });
        await pause(isFile ? RETRY_MS.file : RETRY_MS.network);
      }
    }
  }

  async function reconnect(): Promise<void> {
    await client.reconnect();
    await setPragmas();
  }
  /** They hold for a connection, and `concurrency: 1` keeps a file to one. */
  async function setPragmas(): Promise<void> {
    for (const pragma of FILE_PRAGMAS) {
      try {
        await client.execute(`PRAGMA ${pragma}`);
      } catch (error) {
        if (!isBusy(error)) throw error;
        // The mode is in the file already; whoever holds the lock has it in WAL mode.
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
        // Each statement's own `map` made its rows, which the compiler can't follow through a list.
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
  // Loaded when it is needed: a file is opened without it, and the process is smaller for it.
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
 * The client sets no time limit of its own. A write cut off here may or may not have happened, as
 * after any lost connection.
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
        `The database at ${where(url)} doesn't enforce foreign keys: what belongs to a deleted user stays.`,
      );
  } catch {
    // A server may refuse every PRAGMA; libSQL's own enforces foreign keys by default.
  }
}

/** A database's place without what may be secret in its URL. */
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
  /** Where each statement's result stands in the batch. */
  readonly places: readonly number[];
  /** The guard's word by the place of its assertion. */
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

/** Which statement of a batch failed, or -1. */
function failedAt(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('statementIndex' in error)) return -1;
  return typeof error.statementIndex === 'number' ? error.statementIndex : -1;
}

/** The client's rows as both drivers give them: values in column order, blobs as bytes. */
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
