/**
 * The order of system calls of a running service: the log is written, flushed, and only then does an
 * answer go out (T17).
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { newDirectory, startServer } from '../support/process.ts';

const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

/** Calls as they were begun and ended: `strace -f` splits those that overlap. */
const WRITES_LOG = /pwrite64\(\d+<[^>]*postern\.db-wal>/;
const FLUSHES_LOG = /fdatasync\(\d+<[^>]*postern\.db-wal>/;
const ANSWERS = /write(?:v)?\(\d+<(?:TCP|socket)[^>]*>.*HTTP\/1\.1 20[01]/;

describe.skipIf(!canTrace)('under strace', () => {
  test('each answer follows a whole flush of everything that its request wrote', async () => {
    const trace = join(newDirectory(), 'trace');
    const calls = 'trace=pwrite64,fdatasync,fsync,write,writev';
    const server = await startServer({
      // As a grandchild, so that signals reach the service.
      wrap: ['strace', '-D', '-f', '-y', '-s', '64', '-e', calls, '-o', trace],
    });
    for (let n = 0; n < 10; n++) await server.register(`traced-${n}`);
    await server.stop();
    while (!readFileSync(trace, 'utf8').includes('+++ exited')) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const lines = readFileSync(trace, 'utf8').split('\n');
    let isDirty = false;
    let answers = 0;
    /** Threads whose flush began when the log was as it is now. */
    const flushing = new Set<string>();
    for (const line of lines) {
      const thread = line.split(' ')[0] ?? '';
      if (WRITES_LOG.test(line)) {
        isDirty = true;
        flushing.clear();
      } else if (FLUSHES_LOG.test(line)) {
        if (line.includes('<unfinished')) flushing.add(thread);
        else isDirty = false;
      } else if (/<\.\.\. fdatasync resumed>/.test(line)) {
        if (flushing.delete(thread)) isDirty = false;
      } else if (ANSWERS.test(line)) {
        answers++;
        expect([isDirty, line]).toEqual([false, line]);
      }
    }
    expect(answers).toBeGreaterThanOrEqual(10);
  });
});
