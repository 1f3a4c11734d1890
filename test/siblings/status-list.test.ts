/** Token Status Lists: each session's own bit, set when it ends, in every process. */
import { inflateSync } from 'node:zlib';
import { getListFromStatusListJWT } from '@sd-jwt/jwt-status-list';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, operator } from '../support/app.ts';
import type { SignedIn, TestApp } from '../support/app.ts';
import { readVectors } from '../vectors/read.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

interface Position {
  readonly idx: number;
  readonly uri: string;
}

function positionOf(token: string): Position {
  const { status } = decodeJwt<{ status: { status_list: Position } }>(token);
  return status.status_list;
}

const bitOf = (lst: string, idx: number): number =>
  ((inflateSync(Buffer.from(lst, 'base64url'))[idx >> 3] ?? 0) >> (idx & 7)) & 1;

/** The list that a token names, checked as a verifier checks it. */
async function listOf(own: TestApp, { uri }: Position): Promise<string> {
  const path = new URL(uri).pathname;
  const { status, headers, body } = await own.call('GET', path);
  expect([status, headers.get('content-type')]).toEqual([200, 'application/statuslist+jwt']);
  const jwks = createLocalJWKSet((await own.call('GET', '/.well-known/jwks.json')).body);
  const { payload } = await jwtVerify<{ status_list: { bits: number; lst: string } }>(body, jwks, {
    typ: 'statuslist+jwt',
    issuer: 'https://auth.example.com',
    currentDate: new Date(own.clock.now()),
    algorithms: ['ES256'],
  });
  expect(payload.sub).toBe(uri);
  expect(payload.status_list.bits).toBe(1);
  return payload.status_list.lst;
}

const isEnded = async (own: TestApp, { access }: SignedIn): Promise<boolean> => {
  const position = positionOf(access);
  return bitOf(await listOf(own, position), position.idx) === 1;
};

describe('the bit of a session', () => {
  test('is clear while it lives, and set when it has ended, for whatever reason', async () => {
    const [stays, leaves, disabled, deleted] = [
      await app.register(),
      await app.register(),
      await app.register(),
      await app.register(),
    ];
    for (const user of [stays, leaves, disabled, deleted])
      expect(await isEnded(app, user)).toBe(false);
    await app.call('POST', '/logout', { body: { refresh_token: leaves.refresh } });
    await app.kernel.accountState.disable(operator, disabled.userId);
    await app.call('DELETE', '/me', { token: deleted.access });
    // A busy service gathers changes for a quarter of a second.
    app.clock.advance(250);
    expect(await isEnded(app, stays)).toBe(false);
    for (const user of [leaves, disabled, deleted]) expect(await isEnded(app, user)).toBe(true);
  });

  test('is the same for all tokens of the session', async () => {
    const user = await app.register();
    const { body } = await app.call('POST', '/refresh', { body: { refresh_token: user.refresh } });
    expect(positionOf(body.access_token)).toEqual(positionOf(user.access));
  });

  test('is unique, and its order reveals nothing about other sessions', async () => {
    const positions: number[] = [];
    const { username } = await app.register();
    for (let i = 0; i < 12; i++)
      positions.push(positionOf((await app.login(username)).body.access_token).idx);
    expect(new Set(positions).size).toBe(positions.length);
    const steps = positions.slice(1).map((idx, i) => idx - (positions[i] ?? 0));
    expect(new Set(steps).size).toBe(steps.length);
    expect(steps.some((step) => Math.abs(step) > 1_000)).toBe(true);
  });

  test('is set after a restart, and in another process on the same database', async () => {
    const own = await createTestApp();
    const user = await own.register();
    await own.call('POST', '/logout', { body: { refresh_token: user.refresh } });
    const { directory, clock } = own;
    const second = await createTestApp({ directory, clock });
    expect(await isEnded(second, user)).toBe(true);
    const other = await own.register();
    await own.call('POST', '/logout', { body: { refresh_token: other.refresh } });
    // What the follower does when it sees another process's commit.
    await expect
      .poll(async () => {
        clock.advance(250);
        return isEnded(second, other);
      })
      .toBe(true);
    await second.stop();
    await own.stop();
  });

  test('is not assigned again after the session was deleted', async () => {
    const own = await createTestApp();
    const first = await own.register();
    await own.call('DELETE', '/me', { token: first.access });
    const second = await own.register();
    expect(positionOf(second.access)).not.toEqual(positionOf(first.access));
    own.clock.advance(250);
    expect([await isEnded(own, first), await isEnded(own, second)]).toEqual([true, false]);
    await own.stop();
  });
});

describe('the list', () => {
  test('R6: is the JWT that the draft asks for', async () => {
    const own = await createTestApp();
    const user = await own.register();
    const { body } = await own.call('GET', '/status-lists/0');
    const now = Math.floor(own.clock.now() / 1000);
    expect(decodeProtectedHeader(body)).toMatchObject({ typ: 'statuslist+jwt', alg: 'ES256' });
    expect(decodeJwt(body)).toEqual({
      iss: 'https://auth.example.com',
      sub: positionOf(user.access).uri,
      iat: now,
      exp: now + 300,
      ttl: 15,
      status_list: { bits: 1, lst: expect.any(String) },
    });
    const lst = String(decodeJwt<{ status_list: { lst: string } }>(body).status_list.lst);
    expect(inflateSync(Buffer.from(lst, 'base64url')).length).toBe(2 ** 17);
    await own.stop();
  });

  test('reads the same with @sd-jwt/jwt-status-list', async () => {
    const own = await createTestApp();
    const user = await own.register();
    const stays = await own.register();
    await own.call('POST', '/logout', { body: { refresh_token: user.refresh } });
    const { body } = await own.call('GET', '/status-lists/0');
    const list = getListFromStatusListJWT(body);
    expect(list.getStatus(positionOf(user.access).idx)).toBe(1);
    expect(list.getStatus(positionOf(stays.access).idx)).toBe(0);
    await own.stop();
  });

  test('has an ETag, may be cached for ttl, and is compressed on request', async () => {
    const own = await createTestApp();
    const plain = await own.call('GET', '/status-lists/0', {
      headers: { 'accept-encoding': 'identity' },
    });
    expect(plain.headers.get('cache-control')).toBe('public, max-age=15');
    expect(plain.headers.get('vary')).toContain('Accept-Encoding');
    const zipped = await own.call('GET', '/status-lists/0', {
      headers: { 'accept-encoding': 'gzip' },
    });
    expect(zipped.headers.get('content-encoding')).toBe('gzip');
    expect(zipped.body).toBe(plain.body);
    const [etag, other] = [plain, zipped].map(({ headers }) => headers.get('etag') ?? '');
    expect(etag).not.toBe(other);
    for (const [tag, encoding] of [
      [etag, 'gzip;q=0'],
      [other, 'gzip'],
    ]) {
      const again = await own.call('GET', '/status-lists/0', {
        headers: { 'if-none-match': tag ?? '', 'accept-encoding': encoding ?? '' },
      });
      expect(again.status).toBe(304);
    }
    await own.stop();
  });

  test('H07: a cache keeps it apart by coding and by origin', async () => {
    const own = await createTestApp({
      config: '[server]\ncors_origins = ["https://web.example.com"]\n',
    });
    const { headers } = await own.call('GET', '/status-lists/0', {
      headers: { origin: 'https://web.example.com' },
    });
    expect(headers.get('vary')).toBe('Accept-Encoding, Origin');
    expect(headers.get('access-control-allow-origin')).toBe('https://web.example.com');
    await own.stop();
  });

  test('is signed anew before its exp, and by the new key after a rotation', async () => {
    const own = await createTestApp();
    const first = await own.call('GET', '/status-lists/0');
    own.clock.advance(59_000);
    expect((await own.call('GET', '/status-lists/0')).body).toBe(first.body);
    own.clock.advance(1_000);
    const renewed = await own.call('GET', '/status-lists/0');
    expect(Number(decodeJwt(renewed.body).iat)).toBe(Number(decodeJwt(first.body).iat) + 60);
    const kid = await own.kernel.signingKeys.rotate('access', 0);
    const rotated = await own.call('GET', '/status-lists/0');
    expect(decodeProtectedHeader(rotated.body).kid).toBe(kid);
    await own.stop();
  });

  test('J07: its token opens nothing, and no access token is a list', async () => {
    const { body } = await app.call('GET', '/status-lists/0');
    expect((await app.call('GET', '/me', { token: body })).status).toBe(401);
    expect((await app.call('POST', '/verify', { body: { token: body } })).body.verified).toBe(
      false,
    );
  });

  test.each(['1', '01', '-1', 'x', '0x0', '999999999', '9999999999', '1e3'])(
    'GET /status-lists/%s is not_found',
    async (n) => {
      const { status, body } = await app.call('GET', `/status-lists/${n}`);
      expect([status, body.code]).toEqual([404, 'not_found']);
    },
  );

  test('A09: numbers of lists that are not there cost a read four times a second at most', async () => {
    const own = await createTestApp();
    await own.register();
    const { read } = own.db;
    let reads = 0;
    own.db.read = (statement) => {
      if (statement.sql.includes('"status_counter"')) reads++;
      return read(statement);
    };
    const numbers = Array.from({ length: 50 }, (_, n) => n + 1);
    for (const n of numbers) expect((await own.call('GET', `/status-lists/${n}`)).status).toBe(404);
    await Promise.all(numbers.map((n) => own.call('GET', `/status-lists/${1_000 + n}`)));
    expect(reads).toBeLessThanOrEqual(2);
    await own.db.write([
      {
        sql: 'UPDATE status_counter SET next = 1048576',
        params: [],
        map: (r) => r,
        returns: false,
      },
    ]);
    own.clock.advance(250);
    expect((await own.call('GET', '/status-lists/1')).status).toBe(200);
    await own.stop();
  });

  test('is not there, nor in tokens, when revocation.status_list is off', async () => {
    const own = await createTestApp({ config: '[revocation]\nstatus_list = false\n' });
    expect((await own.call('GET', '/status-lists/0')).status).toBe(404);
    expect(decodeJwt((await own.register()).access)['status']).toBeUndefined();
    await own.stop();
  });
});

interface Vector {
  readonly bits: number;
  readonly lst: string;
  readonly entries: number;
  readonly set: readonly (readonly [index: number, value: number])[];
}
const vectors = readVectors('status-list') as readonly Vector[];

describe('the vectors of the draft', () => {
  test.each(vectors.map((vector) => [vector.bits, vector] as const))(
    '%i bits',
    (bits, { lst, entries, set }) => {
      const bytes = inflateSync(Buffer.from(lst, 'base64url'));
      expect(bytes.length).toBe((entries * bits) / 8);
      const perByte = 8 / bits;
      const found: [number, number][] = [];
      for (let at = 0; at < bytes.length; at++)
        for (let part = 0; bytes[at] !== 0 && part < perByte; part++) {
          const value = ((bytes[at] ?? 0) >> (part * bits)) & (2 ** bits - 1);
          if (value !== 0) found.push([at * perByte + part, value]);
        }
      expect(found).toEqual(set);
    },
  );
});
