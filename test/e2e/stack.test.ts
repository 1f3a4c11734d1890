/** A fault's stack: once, and by the files of src/. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Libsql from 'libsql';
import { expect, test } from 'vitest';
import { startServer } from '../support/process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('one stack a fault, whose frames name files of src/ and lines that they have', async () => {
  const server = await startServer();
  const { access } = await server.register('ada');
  const db = new Libsql(join(server.directory, 'data/postern.db'));
  db.exec('ALTER TABLE session RENAME TO session_gone');
  db.close();
  expect((await server.call('GET', '/me/sessions', { token: access })).status).toBe(500);
  await server.stop();
  const stacks = server.log().flatMap((line) => {
    const stack = line['exception.stacktrace'];
    return typeof stack === 'string' ? [[line.event, stack] as const] : [];
  });
  expect(stacks.filter(([event]) => event === 'request.failed')).toHaveLength(1);
  expect(stacks.map(([event]) => event)).not.toContain('http.request');
  const [, stack = ''] = stacks.find(([event]) => event === 'request.failed') ?? [];
  const frames = [...stack.matchAll(/(src\/\S+?\.ts):(\d+):(\d+)/g)];
  expect(frames.length).toBeGreaterThan(2);
  for (const [, file = '', line] of frames) {
    expect([file, existsSync(join(ROOT, file))]).toEqual([file, true]);
    expect(readFileSync(join(ROOT, file), 'utf8').split('\n').length).toBeGreaterThanOrEqual(
      Number(line),
    );
  }
  expect(stack).not.toMatch(/postern\.mjs/);
});
