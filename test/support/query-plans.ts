/**
 * Statements that the tests ran, collected from every test app and explained at the end of the whole
 * suite: none may walk a table that grows, for SQLite runs on the event loop (T16).
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Libsql from 'libsql';
import type { OpenDatabase } from '../../src/db/open.ts';
import { migrations } from '../../src/db/migrations.ts';

const DIRECTORY = 'POSTERN_STATEMENT_RECORDS';

/** Tables that stay small, and what walks another one, each with its reason. */
const ALLOWED: readonly (readonly [plan: RegExp, reason: string])[] = [
  [/SCAN (?:signing_key|migration|api_key|audience|status_counter)\b/, 'a few rows, whoever asks'],
  [/SCAN (?:CONSTANT ROW|\(subquery-\d+\)|\d+ CONSTANT ROWS?)/, 'no table'],
];

/**
 * Notes the texts of what an app runs. Those of tests quote nothing, drizzle quotes every name; the
 * table of the badge (test/features) is no migration.
 */
export function recordStatements(db: OpenDatabase): () => void {
  const texts = new Set<string>();
  const { read, write } = db;
  db.read = (statement) => {
    texts.add(statement.sql);
    return read(statement);
  };
  db.write = (statements, patienceMs) => {
    for (const { sql } of statements) texts.add(sql);
    return write(statements, patienceMs);
  };
  return () => {
    const directory = process.env[DIRECTORY];
    if (directory === undefined) return;
    const own = [...texts].filter(
      (text) => text.includes('"') && !text.includes('"badge"') && !text.startsWith('SELECT *'),
    );
    const file = `${process.pid}-${process.hrtime.bigint()}.json`;
    writeFileSync(join(directory, file), JSON.stringify(own));
  };
}

function recorded(directory: string): readonly string[] {
  const texts = readdirSync(directory).flatMap((file): string[] =>
    JSON.parse(readFileSync(join(directory, file), 'utf8')),
  );
  return [...new Set(texts)].sort();
}

/** Steps of a plan that walk a table without an index. */
function scans(db: Libsql.Database, text: string): readonly string[] {
  // A refusal as a statement: what is never true walks nothing.
  if (text.endsWith(' where 0')) return [];
  let rows: unknown[][];
  try {
    rows = db.prepare(`EXPLAIN QUERY PLAN ${text}`).raw(true).all() as unknown[][];
  } catch (error) {
    throw new Error(`can't be explained: ${text}`, { cause: error });
  }
  return rows
    .map((row) => String(row[3]))
    .filter((step) => step.startsWith('SCAN ') && !/USING (?:COVERING )?INDEX/.test(step))
    .filter((step) => !ALLOWED.some(([plan]) => plan.test(step)));
}

export default function setup(): (() => void) | undefined {
  // Each project of the suite asks; the first answers for all.
  if (process.env[DIRECTORY] !== undefined) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'postern-statements-'));
  process.env[DIRECTORY] = directory;
  return () => {
    const texts = recorded(directory);
    rmSync(directory, { recursive: true });
    if (process.env['POSTERN_WHOLE_SUITE'] === undefined) return;
    const db = new Libsql(':memory:');
    for (const { sql } of migrations) for (const statement of sql) db.exec(statement);
    const walking = texts.flatMap((text) => scans(db, text).map((step) => `${step}: ${text}`));
    db.close();
    if (texts.length > 50 && walking.length === 0) return;
    process.exitCode = 1;
    throw new Error(
      `${texts.length} statements were explained; these walk a whole table:\n${walking.join('\n')}`,
    );
  };
}
