/**
 * Which declared problems the tests provoked: collected from the log of every test app while the
 * suite runs, and compared at its end. A route whose declared problem nobody provoked fails the
 * suite; `npm test` demands it, a run of single files does not.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnyRoute } from '../../src/http/route.ts';
import type { LogFields } from '../../src/lib/log.ts';

const DIRECTORY = 'POSTERN_PROBLEM_RECORDS';

/** Declared for callers, and not provoked, each with its reason. */
const UNPROVOKED: Readonly<Record<string, string>> = {
  'POST /refresh overloaded': 'nothing refuses it as overloaded now; callers handle it everywhere',
  'POST /logout overloaded': 'nothing refuses it as overloaded now; callers handle it everywhere',
};

interface LogLine extends LogFields {
  readonly event: string;
}

interface ProblemRecord {
  readonly declared: readonly string[];
  readonly provoked: readonly string[];
}

/** Notes what an app declared and what its requests were refused with. */
export function recordProblems(routes: readonly AnyRoute[], log: readonly LogLine[]): void {
  const directory = process.env[DIRECTORY];
  if (directory === undefined) return;
  const provoked = log
    .filter((line) => line.event === 'http.request' && line['error.type'] !== undefined)
    .map((line) => `${line['http.request.method']} ${line['http.route']} ${line['error.type']}`);
  const record: ProblemRecord = {
    declared: routes.flatMap(({ method, path, problems }) =>
      problems.map((code) => `${method.toUpperCase()} ${path} ${code}`),
    ),
    provoked: [...new Set(provoked)],
  };
  const file = `${process.pid}-${process.hrtime.bigint()}.json`;
  writeFileSync(join(directory, file), JSON.stringify(record));
}

function readRecords(directory: string): ProblemRecord {
  const records = readdirSync(directory).map(
    (file): ProblemRecord => JSON.parse(readFileSync(join(directory, file), 'utf8')),
  );
  return {
    declared: [...new Set(records.flatMap(({ declared }) => declared))].sort(),
    provoked: [...new Set(records.flatMap(({ provoked }) => provoked))],
  };
}

/** Of the whole suite: vitest runs it before the first test, and what it returns after the last. */
export default function setup(): (() => void) | undefined {
  // Each project of the suite asks; the first answers for all.
  if (process.env[DIRECTORY] !== undefined) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'postern-problems-'));
  process.env[DIRECTORY] = directory;
  return () => {
    const { declared, provoked } = readRecords(directory);
    rmSync(directory, { recursive: true });
    if (process.env['POSTERN_WHOLE_SUITE'] === undefined) return;
    const reached = new Set([...provoked, ...Object.keys(UNPROVOKED)]);
    const missing = declared.filter((pair) => !reached.has(pair));
    const idle = Object.keys(UNPROVOKED).filter((pair) => provoked.includes(pair));
    if (missing.length === 0 && idle.length === 0) return;
    process.exitCode = 1;
    throw new Error(
      `problems that routes declare and no test provoked: ${missing.join(', ') || 'none'}; provoked though listed as not: ${idle.join(', ') || 'none'}`,
    );
  };
}
