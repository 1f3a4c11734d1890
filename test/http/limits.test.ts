/** Limits per client at the routes (L05, L06, ASVS 2.4.1, 6.3.1, 15.2.2; T16). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';

const CONFIG = `[server]
trusted_proxies = ["127.0.0.1"]
[limits]
login = "5/1h"
register = "4/1h"
emails = "3/1h"
refresh = "6/1h"
check = "2/1h"
fields = true
`;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ config: CONFIG });
});
afterAll(() => app.stop());

/** Sends from an address of its own. */
const from = (ip: string) => (method: string, path: string, body?: object, token?: string) =>
  app.call(method, path, {
    headers: { 'x-forwarded-for': ip },
    ...(body === undefined ? {} : { body }),
    ...(token === undefined ? {} : { token }),
  });

const isLimited = ({ status, body }: Reply): boolean =>
  status === 429 && body.code === 'rate_limited';

const rowsIn = async (table: string): Promise<number> => {
  const [count] = await app.db.read({
    sql: `SELECT count(*) FROM ${table}`,
    params: [],
    map: (rows) => rows.map(([value]) => Number(value)),
    returns: true,
  });
  return count ?? 0;
};

describe('one network', () => {
  test('is refused past its share, with Retry-After and the RateLimit fields, and before any work', async () => {
    const send = from('198.51.100.1');
    const login = (n: number) =>
      send('POST', '/login', { username: `nobody-${n}`, password: 'wrong horse battery' });
    const first = await login(0);
    expect(first.status).toBe(401);
    expect(first.headers.get('ratelimit-policy')).toBe('"login";q=5;w=3600');
    expect(first.headers.get('ratelimit')).toBe('"login";r=4;t=720');
    for (let n = 1; n < 5; n++) expect((await login(n)).status).toBe(401);
    const rows = await rowsIn('attempt');
    const hashed = app.kernel.passwordHasher.stats();
    const refused = await login(5);
    expect([isLimited(refused), refused.headers.get('ratelimit')]).toEqual([
      true,
      '"login";r=0;t=720',
    ]);
    expect(refused.headers.get('retry-after')).toBe('720');
    expect(await rowsIn('attempt')).toBe(rows);
    expect(app.kernel.passwordHasher.stats()).toEqual(hashed);
    expect(
      (await from('198.51.100.2')('POST', '/login', { username: 'x', password: 'y' })).status,
    ).toBe(401);
  });

  test('E05: known and unknown names are limited alike', async () => {
    const { username } = await app.register();
    const tries = async (ip: string, name: string) => {
      const replies = [];
      for (let n = 0; n < 8; n++) {
        const body = { username: name, password: 'wrong horse battery' };
        const { status, body: problem, headers } = await from(ip)('POST', '/login', body);
        replies.push([status, problem.code, headers.get('ratelimit')]);
      }
      return replies;
    };
    expect(await tries('198.51.100.11', username)).toEqual(await tries('198.51.100.12', 'unknown'));
  });

  test('has a share of its own at each kind of route', async () => {
    const send = from('198.51.100.3');
    const until = async (most: number, ask: (n: number) => Promise<Reply>): Promise<number> => {
      let passed = 0;
      for (let n = 0; n < most; n++) if (!isLimited(await ask(n))) passed++;
      return passed;
    };
    const forgot = (n: number) =>
      send('POST', '/password/forgot', { username: `x${n}@example.com` });
    const register = (n: number) =>
      send('POST', '/register', { email: `y${n}@example.com`, password: PASSWORD });
    const check = () => send('POST', '/password/check', { password: PASSWORD });
    expect([await until(9, forgot), await until(9, register), await until(9, check)]).toEqual([
      3, 4, 2,
    ]);
    expect((await send('GET', '/.well-known/jwks.json')).status).toBe(200);
    expect((await send('POST', '/verify', { token: 'x.y.z' })).status).toBe(200);
  });

  test('an IPv6 client has its /64 to itself, and the /48 has sixteen shares', async () => {
    let passed = 0;
    for (let net = 0; net < 50; net++) {
      const send = from(`2001:db8:7:${net.toString(16)}::1`);
      for (let n = 0; n < 2; n++) {
        if (!isLimited(await send('POST', '/password/check', { password: PASSWORD }))) passed++;
      }
    }
    expect(passed).toBe(32);
  });
});

describe('a session', () => {
  test('has a limit of its own: guesses by others on its network do not slow it', async () => {
    const send = from('198.51.100.4');
    const { body } = await send('POST', '/register', { username: 'limited', password: PASSWORD });
    for (let n = 0; n < 6; n++) await send('POST', '/login', { username: 'x', password: 'y' });
    const again = () => send('POST', '/reauthenticate', { password: PASSWORD }, body.access_token);
    expect((await again()).status).toBe(200);
    for (let n = 0; n < 4; n++) await again();
    expect(isLimited(await again())).toBe(true);
  });

  test('is limited at /refresh by itself, wherever its requests come from', async () => {
    const { refresh } = await app.register();
    let token = refresh;
    const replies: boolean[] = [];
    for (let n = 0; n < 8; n++) {
      const reply = await from(`198.51.100.${100 + n}`)('POST', '/refresh', {
        refresh_token: token,
      });
      token = reply.body.refresh_token ?? token;
      replies.push(isLimited(reply));
      app.clock.advance(11_000);
    }
    expect(replies.filter((limited) => limited)).toHaveLength(2);
  });

  test('sends no more emails to strangers than its network may', async () => {
    const send = from('198.51.100.5');
    const { body } = await send('POST', '/register', { username: 'mailer', password: PASSWORD });
    const replies: boolean[] = [];
    for (let n = 0; n < 5; n++) {
      const email = `stranger${n}@example.com`;
      replies.push(isLimited(await send('PATCH', '/me', { email }, body.access_token)));
    }
    expect(replies).toEqual([false, false, false, true, true]);
  });
});
