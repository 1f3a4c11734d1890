/** Over HTTP: what is sent, and what is said when nobody answers. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import Libsql from 'libsql';
import { guarded, raw } from '../../src/db/prepare.ts';
import { openDatabase } from '../../src/db/open.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { startHranaServer } from './hrana-server.ts';
import type { HranaServer } from './hrana-server.ts';
import { addQuietly, migrations, names, open, temporaryDirectory } from './support.ts';

async function serve(token?: string): Promise<{ server: HranaServer; path: string }> {
  const path = join(temporaryDirectory(), 'server.db');
  const server = await startHranaServer(path, token);
  onTestFinished(() => server.close());
  return { server, path };
}

test('a guarded list is one request and holds no read between its statements', async () => {
  const { server } = await serve();
  const db = await open(server.url);
  await db.write([addQuietly({ name: 'a' })]);
  const [requests, from] = [server.requests(), server.log.length];
  await db.write([
    guarded(raw("UPDATE thing SET count = 1 WHERE name = 'a'")(), 'g'),
    addQuietly({ name: 'b' }),
  ]);
  expect(server.requests() - requests).toBe(1);
  expect(server.log.slice(from)).toEqual([
    'BEGIN IMMEDIATE',
    "UPDATE thing SET count = 1 WHERE name = 'a'",
    expect.stringContaining('changes()'),
    'INSERT INTO thing (name) VALUES (?1)',
    'COMMIT',
  ]);
});

test('the token is sent, and a refused one is said without naming it', async () => {
  const { server } = await serve('secret-token');
  const db = await open(server.url, { authToken: 'secret-token' });
  await db.write([addQuietly({ name: 'a' })]);
  expect(await db.read(names())).toEqual([{ name: 'a' }]);
  const refused = openDatabase({
    url: server.url,
    authToken: 'wrong-token',
    busyTimeoutMs: 100,
    clock: systemClock,
    migrations,
  });
  await expect(refused).rejects.toMatchObject({
    name: 'DatabaseRefused',
    message: `The database at ${server.url} doesn't answer, or not to this database.auth_token.`,
  });
});

test('a server that is not there is said, without what its URL may hold', async () => {
  const refused = openDatabase({
    url: 'http://user:pass@127.0.0.1:9/?authToken=t',
    busyTimeoutMs: 100,
    clock: systemClock,
    migrations,
  });
  await expect(refused).rejects.toSatisfy(
    (error: Error) =>
      error.name === 'DatabaseRefused' && !/pass|authToken|user/.test(error.message),
  );
});

test('a server whose lock is held past the deadline answers DatabaseBusy, and works again after it', {
  timeout: 20_000,
}, async () => {
  const { server, path } = await serve();
  const db = await open(server.url, { busyTimeoutMs: 50 });
  const holder = new Libsql(path);
  holder.exec('BEGIN IMMEDIATE');
  await expect(db.write([addQuietly({ name: 'a' })])).rejects.toMatchObject({
    name: 'DatabaseBusy',
  });
  holder.exec('COMMIT');
  holder.close();
  await db.write([addQuietly({ name: 'b' })]);
  expect(await db.read(names())).toEqual([{ name: 'b' }]);
});
