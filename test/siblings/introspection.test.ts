/** POST /introspect (RFC 7662) and /revoke (RFC 7009). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, operator } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { makeKey, postForm } from '../support/api-key.ts';
import type { MadeKey } from '../support/api-key.ts';

const CONFIG = '[audiences."https://billing.example.com"]\nclaims = ["roles"]\n';
const BILLING = 'https://billing.example.com';

let app: TestApp;
let key: MadeKey;
beforeAll(async () => {
  app = await createTestApp({ config: CONFIG });
  key = await makeKey(app, 'billing', { audiences: [BILLING] });
});
afterAll(() => app.stop());

const introspect = (token: string): Promise<Reply> =>
  postForm(app, '/introspect', { token }, key.basic);
const revoke = (token: string, more: object = {}): Promise<Reply> =>
  postForm(app, '/revoke', { token, ...more }, key.basic);

async function forBilling(refresh: string): Promise<string> {
  const { body } = await app.call('POST', '/refresh', {
    body: { refresh_token: refresh, resource: BILLING },
  });
  return body.access_token;
}

const serviceToken = async (): Promise<string> =>
  (await postForm(app, '/token', { grant_type: 'client_credentials' }, key.basic)).body
    .access_token;

describe('introspection', () => {
  test('answers the claims of a live access token of any audience', async () => {
    const user = await app.register();
    const { status, headers, body } = await introspect(user.access);
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(body).toMatchObject({
      active: true,
      token_type: 'Bearer',
      iss: 'https://auth.example.com',
      sub: user.userId,
      aud: 'postern',
      sid: user.sessionId,
    });
    const other = await introspect(await forBilling(user.refresh));
    expect(other.body).toMatchObject({ active: true, aud: BILLING, sub: user.userId });
    expect((await introspect(await serviceToken())).body).toMatchObject({
      active: true,
      sub: key.id,
      client_id: key.id,
    });
  });

  test('R5: whatever is not good is exactly {"active":false}', async () => {
    const user = await app.register();
    const [head = '', payload = ''] = user.access.split('.');
    const tokens = ['x', 'a.b.c', user.refresh, `${head}.${payload}.AAAA`, user.deviceToken];
    for (const token of tokens) expect((await introspect(token)).body).toEqual({ active: false });
  });

  test('an ended session, a disabled and a deleted user, a revoked key, an expired token', async () => {
    const [left, disabled, deleted] = [
      await app.register(),
      await app.register(),
      await app.register(),
    ];
    await app.call('POST', '/logout', { body: { refresh_token: left.refresh } });
    await app.kernel.accountState.disable(operator, disabled.userId);
    await app.call('DELETE', '/me', { token: deleted.access });
    for (const { access } of [left, disabled, deleted])
      expect((await introspect(access)).body).toEqual({ active: false });
    const user = await app.register();
    app.clock.advance(15 * 60_000);
    expect((await introspect(user.access)).body).toEqual({ active: false });
  });
});

describe('revocation', () => {
  test.each(['access', 'refresh'] as const)('of the %s token ends its session', async (kind) => {
    const user = await app.register();
    const { status, body } = await revoke(user[kind], { token_type_hint: `${kind}_token` });
    expect([status, body]).toEqual([200, '']);
    expect((await app.call('GET', '/verify', { token: user.access })).status).toBe(401);
    const refreshed = await app.call('POST', '/refresh', { body: { refresh_token: user.refresh } });
    expect(refreshed.body.code).toBe('session_revoked');
  });

  test('of a token for another audience ends the session too', async () => {
    const user = await app.register();
    expect((await revoke(await forBilling(user.refresh))).status).toBe(200);
    expect((await app.call('GET', '/me', { token: user.access })).status).toBe(401);
  });

  test('R5: unknown, ended and malformed tokens are answered alike', async () => {
    const user = await app.register();
    await revoke(user.access);
    for (const token of ['x', user.access, user.refresh, 'a.b.c'])
      expect((await revoke(token)).status).toBe(200);
  });

  test('a wrong hint changes nothing', async () => {
    const user = await app.register();
    await revoke(user.refresh, { token_type_hint: 'access_token' });
    expect((await app.call('GET', '/me', { token: user.access })).status).toBe(401);
  });

  test("a service's own token can't be: unsupported_token_type", async () => {
    const { status, body } = await revoke(await serviceToken());
    expect([status, body.error]).toEqual([400, 'unsupported_token_type']);
  });
});

describe('forms', () => {
  const send = (raw: string | Uint8Array, type = 'application/x-www-form-urlencoded') =>
    app.call('POST', '/introspect', { raw, headers: { 'content-type': type, ...key.basic } });

  test.each<[name: string, raw: string | Uint8Array, status: number]>([
    ['a parameter twice', 'token=a&token=b', 400],
    ['twice, once encoded', 'token=a&t%6Fken=b', 400],
    ['no token', 'token_type_hint=a', 400],
    ['a token without a value', 'token=', 400],
    ['a stray percent sign', 'token=%', 400],
    ['half an escape', 'token=%4', 400],
    ['bytes that are not UTF-8', 'token=%ff', 400],
    ['bytes that are not encoded', Buffer.from('token=\xff', 'latin1'), 400],
    ['a control character', 'token=a%00', 400],
    ['an empty name', '=a', 400],
    ['JSON', '{"token":"a"}', 400],
    ['100 parameters', Array.from({ length: 100 }, (_, i) => `a${i}=1`).join('&'), 400],
    ['nothing', '', 400],
    ['70,000 bytes', `token=${'a'.repeat(70_000)}`, 413],
  ])('%s', async (_, raw, status) => {
    const reply = await send(raw);
    const isMissing = raw === '';
    expect([reply.status, reply.body.error]).toEqual([
      isMissing ? reply.status : status,
      'invalid_request',
    ]);
    expect(reply.headers.get('content-type')).toBe('application/json');
    expect(reply.body.error_description).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
    expect(reply.body.request_id).toBe(reply.headers.get('x-request-id'));
  });

  test('another content type is 415, JSON and text too', async () => {
    for (const type of ['application/json', 'text/plain', 'multipart/form-data; boundary=a'])
      expect((await send('token=a', type)).status).toBe(415);
    const latin = 'application/x-www-form-urlencoded; charset=iso-8859-1';
    expect((await send('token=a', latin)).status).toBe(415);
    const utf8 = 'application/x-www-form-urlencoded;charset=UTF-8';
    expect((await send('token=a', utf8)).status).toBe(200);
  });

  test('RFC 6749 §3.2: unknown parameters are ignored', async () => {
    const user = await app.register();
    const reply = await send(`foo=bar&token=${user.access}&__proto__=1`);
    expect(reply.body.active).toBe(true);
  });
});
