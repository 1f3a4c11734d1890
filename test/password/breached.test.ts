import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readFilter, writeFilter } from '../../src/core/password/fuse-filter.ts';
import { createTestApp } from '../support/app.ts';
import { run } from '../cli/run.ts';

function keysOf(count: number, salt: string): Uint32Array {
  const keys = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) {
    const digest = createHash('sha1').update(`${salt}${i}`).digest();
    keys[2 * i] = digest.readUInt32BE(0);
    keys[2 * i + 1] = digest.readUInt32BE(4);
  }
  return keys;
}

test.each([1, 2, 3, 10, 1_000, 100_000])(
  'a filter of %i keys has each of them, few others, and is small',
  (count) => {
    const keys = keysOf(count, 'in');
    const bytes = Buffer.concat(writeFilter(0, count, [keys]));
    const filter = readFilter(bytes);
    expect(filter.count).toBe(count);
    for (let i = 0; i < count; i++)
      if (!filter.has(keys[2 * i] ?? 0, keys[2 * i + 1] ?? 0)) throw new Error(`missed ${i}`);
    const strangers = keysOf(200_000, 'out');
    let taken = 0;
    for (let i = 0; i < 200_000; i++)
      if (filter.has(strangers[2 * i] ?? 0, strangers[2 * i + 1] ?? 0)) taken++;
    // One in 65,536 is expected: three of these. Twenty would be no chance.
    expect(taken).toBeLessThan(20);
    if (count >= 100_000) expect((8 * bytes.length) / count).toBeLessThan(20);
  },
);

test('a filter that is cut off, or is none, is refused', () => {
  const bytes = Buffer.concat(writeFilter(0, 100, [keysOf(100, 'in')]));
  for (const broken of [
    Buffer.alloc(0),
    Buffer.from('something else entirely'),
    bytes.subarray(0, bytes.length - 1),
    bytes.subarray(0, 20),
  ])
    expect(() => readFilter(broken)).toThrow();
});

test('postern breached build makes a filter that sign-up, change and /password/check ask', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-breached-'));
  const [list, out] = [join(folder, 'list.txt'), join(folder, 'breached.filter')];
  const breached = 'all my friends know this one';
  const others = Array.from(
    { length: 5_000 },
    (_, i) => `${createHash('sha1').update(`other ${i}`).digest('hex')}:${i + 1}`,
  );
  writeFileSync(
    list,
    [...others, `${createHash('sha1').update(breached).digest('hex').toUpperCase()}:7`, ''].join(
      '\r\n',
    ),
  );
  const built = await run(`breached build ${list} --out ${out} --json`);
  expect([built.code, JSON.parse(built.stdout).count]).toEqual([0, 5_001]);
  const app = await createTestApp({ breachedBytes: readFileSync(out) });
  const refused = await app.call('POST', '/register', {
    body: { username: 'ada', password: breached },
  });
  expect([refused.status, refused.body.errors[0].code]).toEqual([422, 'breached']);
  expect(
    (await app.call('POST', '/password/check', { body: { password: breached } })).body,
  ).toMatchObject({ valid: false, errors: [{ code: 'breached' }] });
  expect(
    (
      await app.call('POST', '/register', {
        body: { username: 'ada', password: `${breached} too` },
      })
    ).status,
  ).toBe(201);
  await app.stop();
  writeFileSync(list, 'not a hash\n');
  const bad = await run(`breached build ${list} --out ${out}`);
  expect([bad.code, bad.stderr]).toEqual([
    1,
    expect.stringContaining('list.txt:1 is not 40 hexadecimal digits'),
  ]);
  rmSync(folder, { recursive: true });
});

test('the range API gets five digits and no more; padding is no hit; down, the password is taken and the log says so', async () => {
  const breached = 'all my friends know this one';
  const hash = createHash('sha1').update(breached).digest('hex').toUpperCase();
  const asked: string[] = [];
  let mode: 'good' | 'error' | 'redirect' = 'good';
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${String(request.headers['add-padding'])}`);
    if (mode === 'error') response.writeHead(500).end();
    else if (mode === 'redirect')
      response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
    else
      response.end(
        [
          `${'0'.repeat(35)}:3`,
          `${hash.slice(5)}:${request.url?.endsWith(hash.slice(0, 5)) === true ? 9 : 0}`,
        ].join('\r\n'),
      );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const app = await createTestApp({
    config: `[password]\nbreached_range = true\nbreached_range_url = "${url}"\n`,
  });
  const check = async (password: string) =>
    (await app.call('POST', '/password/check', { body: { password } })).body.valid;
  expect(await check(breached)).toBe(false);
  expect(asked).toEqual([`/range/${hash.slice(0, 5)} true`]);
  expect(await check('nobody knows this one at all')).toBe(true);
  for (const broken of ['error', 'redirect'] as const) {
    mode = broken;
    expect(await check(breached)).toBe(true);
  }
  server.closeAllConnections();
  server.close();
  expect(await check(breached)).toBe(true);
  expect(app.log.filter(({ event }) => event === 'breached.unreachable')).toHaveLength(3);
  await app.stop();
});
