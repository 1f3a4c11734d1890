/**
 * So much of a libSQL server as @libsql/client asks of it: Hrana 2 over HTTP, each request a stream
 * of its own, its steps run in order on one connection under their conditions. It lets the suite
 * send real batches over a socket.
 *
 * @see https://github.com/tursodatabase/libsql/blob/main/docs/HRANA_2_SPEC.md
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Libsql from 'libsql';

type Value =
  | { type: 'null' }
  | { type: 'integer' | 'text'; value: string }
  | { type: 'float'; value: number }
  | { type: 'blob'; base64: string };
type Condition =
  | { type: 'ok'; step: number }
  | { type: 'error'; step: number }
  | { type: 'not'; cond: Condition }
  | { type: 'and'; conds: Condition[] }
  | { type: 'or'; conds: Condition[] }
  | { type: 'is_autocommit' };
interface Stmt {
  sql?: string;
  sql_id?: number;
  args?: Value[];
}
type Request =
  | { type: 'execute'; stmt: Stmt }
  | { type: 'batch'; batch: { steps: { stmt: Stmt; condition?: Condition | null }[] } }
  | { type: 'store_sql'; sql_id: number; sql: string }
  | { type: 'close_sql' | 'close' };

export interface HranaServer {
  readonly url: string;
  /** SQL texts in the order in which they ran. */
  readonly log: string[];
  /** How many HTTP requests came. */
  requests(): number;
  close(): Promise<void>;
}

/** Serves a file; with a token, only to those who bring it. */
export async function startHranaServer(path: string, token?: string): Promise<HranaServer> {
  const log: string[] = [];
  let requests = 0;
  new Libsql(path, { timeout: 1000 }).exec('PRAGMA journal_mode=WAL');
  const server = createServer((request, response) => {
    requests += 1;
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
        return response.writeHead(401).end('{"error":"no"}');
      if (request.url !== '/v2/pipeline') return response.writeHead(404).end();
      const body: { requests: Request[] } = JSON.parse(Buffer.concat(chunks).toString());
      return response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(
          JSON.stringify({ baton: null, base_url: null, results: serve(path, body.requests, log) }),
        );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    log,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function serve(path: string, requests: Request[], log: string[]): unknown[] {
  const db = new Libsql(path, { timeout: 1000 });
  const texts = new Map<number, string>();
  const run = (stmt: Stmt): unknown => {
    const sql = stmt.sql ?? texts.get(stmt.sql_id ?? -1) ?? '';
    log.push(sql);
    const statement = db.prepare(sql);
    const args = (stmt.args ?? []).map(fromHrana);
    if (!statement.reader)
      return {
        cols: [],
        rows: [],
        affected_row_count: statement.run(args).changes,
        last_insert_rowid: '0',
      };
    const cols = statement.columns().map(({ name, type }) => ({ name, decltype: type }));
    statement.safeIntegers(true);
    const rows = statement.raw(true).all(args) as unknown[][];
    return {
      cols,
      rows: rows.map((row) => row.map(toHrana)),
      affected_row_count: 0,
      last_insert_rowid: null,
    };
  };
  const handle = (request: Request): unknown => {
    if (request.type === 'store_sql') texts.set(request.sql_id, request.sql);
    if (request.type === 'execute') return { type: 'execute', result: run(request.stmt) };
    if (request.type !== 'batch') return { type: request.type };
    const results: unknown[] = [];
    const errors: unknown[] = [];
    const holds = (condition: Condition): boolean => {
      if (condition.type === 'ok') return results[condition.step] !== null;
      if (condition.type === 'error') return errors[condition.step] !== null;
      if (condition.type === 'not') return !holds(condition.cond);
      if (condition.type === 'is_autocommit') return !db.inTransaction;
      return condition.type === 'and' ? condition.conds.every(holds) : condition.conds.some(holds);
    };
    for (const { stmt, condition } of request.batch.steps) {
      results.push(null);
      errors.push(null);
      if (condition !== undefined && condition !== null && !holds(condition)) continue;
      try {
        results[results.length - 1] = run(stmt);
      } catch (error) {
        errors[errors.length - 1] = errorOf(error);
      }
    }
    return { type: 'batch', result: { step_results: results, step_errors: errors } };
  };
  try {
    return requests.map((request) => {
      try {
        return { type: 'ok', response: handle(request) };
      } catch (error) {
        return { type: 'error', error: errorOf(error) };
      }
    });
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK');
    db.close();
  }
}

/** As a libSQL server words it: the base code, and SQLite's sentence behind its own words. */
function errorOf(error: unknown): { message: string; code: string } {
  const { message, code } = error as { message: string; code: string };
  return {
    message: `SQLite error: ${message}`,
    code: /^SQLITE_[A-Z]+/.exec(code)?.[0] ?? 'UNKNOWN',
  };
}

function fromHrana(value: Value): unknown {
  if (value.type === 'null') return null;
  if (value.type === 'integer') return BigInt(value.value);
  return value.type === 'blob' ? Buffer.from(value.base64, 'base64') : value.value;
}

function toHrana(value: unknown): Value {
  if (value === null) return { type: 'null' };
  if (typeof value === 'bigint') return { type: 'integer', value: value.toString() };
  if (typeof value === 'number') return { type: 'float', value };
  return value instanceof Uint8Array
    ? { type: 'blob', base64: Buffer.from(value).toString('base64') }
    : { type: 'text', value: String(value) };
}
