/**
 * Two instances on one libSQL server: each decision is made once, whichever instance is asked. The
 * server is a real one where `POSTERN_TEST_SQLD` names it, else what the suite has of the protocol.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHranaServer } from '../db/hrana-server.ts';
import { SQLD, startLibsqlServer } from '../db/libsql-server.ts';
import { eventually, newDirectory, startServer } from '../support/process.ts';
import type { Server } from '../support/process.ts';

let database: { readonly url: string; close(): Promise<void> };
let instances: [Server, Server];

beforeAll(async () => {
  const folder = newDirectory();
  mkdirSync(join(folder, 'server'));
  database =
    SQLD === undefined
      ? await startHranaServer(join(folder, 'postern.db'))
      : await startLibsqlServer(join(folder, 'server'));
  const env = {
    POSTERN_DATABASE_URL: database.url,
    POSTERN_SECRETS_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64url'),
    POSTERN_SESSIONS_REFRESH_GRACE: '0s',
  };
  // Both at once: one of them migrates and makes the keys.
  instances = await Promise.all([startServer({ env }), startServer({ env })]);
}, 60_000);
afterAll(async () => {
  await Promise.all(instances.map((instance) => instance.stop()));
  await database.close();
});

const verify = async (server: Server, token: string): Promise<number> =>
  (await server.call('GET', '/verify', { headers: { authorization: `Bearer ${token}` } })).status;

test('both sign with the same keys, and each knows the other’s users and tokens', async () => {
  const [one, two] = instances;
  const keys = await Promise.all(
    instances.map(async (server) => (await server.call('GET', '/.well-known/jwks.json')).body),
  );
  expect(keys[1]).toEqual(keys[0]);
  const ada = await one.register('ada');
  expect((await two.login('ada')).status).toBe(200);
  expect(await verify(two, ada.access)).toBe(204);
});

test('a username is given once, whoever is asked', async () => {
  const password = 'correct horse battery staple';
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      instances[n % 2]?.call('POST', '/register', { body: { username: 'wanted', password } }),
    ),
  );
  expect(answers.map((reply) => reply?.status).sort()).toEqual([201, ...Array(7).fill(409)]);
});

test('of a refresh token that comes to both at once one use counts, and the session ends (T1)', async () => {
  const { refresh } = await instances[0].register('racer');
  const answers = await Promise.all(
    Array.from({ length: 6 }, (_, n) =>
      instances[n % 2]?.call('POST', '/refresh', { body: { refresh_token: refresh } }),
    ),
  );
  expect(answers.filter((reply) => reply?.status === 200).length).toBeLessThanOrEqual(1);
  const after = await instances[1].call('POST', '/refresh', { body: { refresh_token: refresh } });
  expect(after.status).toBe(401);
});

test('a session that one instance ended is ended at the other', { timeout: 30_000 }, async () => {
  const [one, two] = instances;
  const { access, refresh } = await one.register('leaver');
  expect(await verify(two, access)).toBe(204);
  const left = await one.call('POST', '/logout', { body: { refresh_token: refresh } });
  expect(left.status).toBe(204);
  const again = await two.call('POST', '/refresh', { body: { refresh_token: refresh } });
  expect(again.status).toBe(401);
  await eventually(async () => (await verify(two, access)) === 401, 20_000);
});

test('failed sign-ins at either count together', { timeout: 60_000 }, async () => {
  await instances[0].register('guessed');
  const statuses: number[] = [];
  for (let n = 0; n < 40 && statuses.at(-1) !== 429; n += 1) {
    const { status } = await (instances[n % 2] ?? instances[0]).login(
      'guessed',
      `wrong ${n} wrong`,
    );
    statuses.push(status);
  }
  expect(statuses.at(-1)).toBe(429);
  for (const instance of instances)
    expect((await instance.login('guessed', 'wrong once more')).status).toBe(429);
});
