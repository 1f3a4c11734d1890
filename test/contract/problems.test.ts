/**
 * The catalogue of problems against the routes that declare them and the tests that bring them
 * about.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { StorageUnavailable } from '../../src/db/database.ts';
import { oauthErrorOf } from '../../src/http/oauth-error.ts';
import { PROBLEMS, catalogue } from '../../src/http/problems.ts';
import { REFUSALS } from '../../src/refusal.ts';
import type { RefusalCode } from '../../src/refusal.ts';
import { person, startRig } from '../external/story.ts';
import type { ExternalRig } from '../external/story.ts';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { addPasskey, forgetPassword, tryRegister } from '../passkey/story.ts';
import { makeKey, postForm } from '../support/api-key.ts';
import { enrolIn } from '../support/mfa.ts';
import { request, sendRaw } from '../support/raw.ts';

const CODES = Object.keys(REFUSALS).filter((code): code is RefusalCode => code in REFUSALS);
/** What the server refuses with before or beside any handler. */
const FRONT_DOOR: readonly RefusalCode[] = [
  'malformed_request',
  'unsupported_media_type',
  'content_too_large',
  'invalid_request',
  'not_found',
  'method_not_allowed',
  'request_timeout',
  'header_too_large',
  'internal_error',
  'storage_unavailable',
];
const API_KEY: readonly RefusalCode[] = ['invalid_api_key', 'insufficient_scope'];
const BEARER: readonly RefusalCode[] = [
  'invalid_token',
  'session_revoked',
  'insufficient_user_authentication',
];

/** Refusals that come in the form of RFC 6749 alone. */
const OAUTH: readonly RefusalCode[] = [
  ...API_KEY,
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'unsupported_token_type',
];
const BILLING = 'https://billing.example.com';

let app: TestApp;
let closed: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config: `[otp]\nlink = true\n[otp.email]\nenabled = true\n[sms]\ncountries = ["DE"]\ntransports = ["file"]\n[otp.sms]\nenabled = true\n[audiences."${BILLING}"]\n[admin]\nenabled = true\n`,
  });
  closed = await createTestApp({
    config:
      '[registration]\nenabled = false\n[cookies]\nenabled = true\nallowed_origins = ["https://web.example.com"]\n',
  });
});
afterAll(() => Promise.all([app.stop(), closed.stop()]));

const until = async (
  code: RefusalCode,
  send: (i: number) => Promise<Reply>,
  most: number,
): Promise<Reply> => {
  for (let i = 0; ; i++) {
    const reply = await send(i);
    if (reply.body.code === code || i >= most) return reply;
  }
};
const anyOf = async (code: RefusalCode, replies: readonly Promise<Reply>[]): Promise<Reply> => {
  const settled = await Promise.all(replies);
  const found = settled.find(({ body }) => body.code === code) ?? settled[0];
  if (found === undefined) throw new Error('no replies');
  return found;
};
/** Bytes of a socket, and what comes back as an answer like others. */
async function bytes(url: string, sent: string): Promise<Reply> {
  const { replies } = await sendRaw(url, sent, { replies: 1, waitMs: 10_000 });
  const { status = 0, headers = {}, body = '{}' } = replies[0] ?? {};
  return { status, headers: new Headers(headers), body: JSON.parse(body) };
}
const refresh = (token: string) => app.call('POST', '/refresh', { body: { refresh_token: token } });

/** Calls with a key of the scope admin. */
const adminOf = async (name: string) => {
  const { basic: headers } = await makeKey(app, name, { scopes: ['admin'] });
  return (method: string, path: string, body?: object) =>
    app.call(method, path, { headers, ...(body === undefined ? {} : { body }) });
};

async function withProvider(send: (rig: ExternalRig) => Promise<Reply>): Promise<Reply> {
  const rig = await startRig();
  try {
    return await send(rig);
  } finally {
    await rig.stop();
  }
}

/** How each code comes about. A code that stands in the catalogue and not here fails the test. */
const PRODUCED: Readonly<Partial<Record<RefusalCode, () => Promise<Reply>>>> = {
  malformed_request: () => app.call('POST', '/login', { raw: '{' }),
  invalid_credentials: () => app.login('nobody'),
  invalid_token: () => app.call('GET', '/me', { token: 'x.y.z' }),
  refresh_token_expired: async () => {
    const { refresh: token } = await app.register();
    app.clock.advance(8 * 86_400_000);
    return refresh(token);
  },
  refresh_token_reused: async () => {
    const { refresh: token } = await app.register();
    await refresh(token);
    app.clock.advance(11_000);
    return refresh(token);
  },
  refresh_cookie_missing: () =>
    closed.call('POST', '/refresh', { headers: { origin: 'https://web.example.com' } }),
  session_revoked: async () => {
    const { access } = await app.register();
    await app.call('POST', '/logout/all', { token: access });
    return app.call('GET', '/me', { token: access });
  },
  insufficient_user_authentication: async () => {
    const { access } = await app.register();
    app.clock.advance(6 * 60_000);
    return app.call('DELETE', '/me', { token: access });
  },
  invalid_api_key: () => postForm(app, '/introspect', { token: 'x' }),
  insufficient_scope: async () => {
    const { basic } = await makeKey(app, 'events', { scopes: ['events'] });
    return postForm(app, '/introspect', { token: 'x' }, basic);
  },
  email_taken: async () => {
    const admin = await adminOf('email-taken');
    const email = 'taken@example.com';
    const made = await admin('POST', '/admin/users', { username: 'email-taken' });
    const change = { email, email_verified: true };
    await admin('PATCH', `/admin/users/${made.body.id}`, change);
    return admin('POST', '/admin/users', { email });
  },
  phone_taken: async () => {
    const phone = '+4915120000000';
    const codes: { token: string; otp_id: string; code: string }[] = [];
    for (let n = 0; n < 2; n++) {
      const { access: token } = await app.register();
      const { body } = await app.call('POST', '/me/phone', { token, body: { phone } });
      const [text] = await app.texts(phone);
      codes.push({ token, otp_id: body.otp_id, code: text?.values['code'] ?? '' });
      app.clock.advance(2 * 60_000);
    }
    let last: Reply | undefined;
    for (const { token, ...body } of codes)
      last = await app.call('POST', '/me/phone/verify', { token, body });
    return last ?? app.call('GET', '/me');
  },
  account_exists: () =>
    withProvider(async (rig) => {
      await rig.signIn(person('one', 'same@example.com'));
      return rig.signIn(person('other', 'same@example.com'));
    }),
  identity_taken: () =>
    withProvider(async (rig) => {
      await rig.signIn(person('one'));
      return rig.link((await rig.app.register()).access, person('one'));
    }),
  provider_unavailable: () =>
    withProvider((rig) => {
      rig.issuer.instead.set('/keys', { status: 500 });
      return rig.signIn(person('one'));
    }),
  external_id_taken: async () => {
    const admin = await adminOf('external-id-taken');
    await admin('POST', '/admin/users', { username: 'sync-a', external_id: 'sync' });
    return admin('POST', '/admin/users', { username: 'sync-b', external_id: 'sync' });
  },
  no_verified_address: async () => {
    const { userId } = await app.register();
    const admin = await adminOf('no-verified-address');
    return admin('POST', `/admin/users/${userId}/password-reset`);
  },
  unauthorized_client: async () => {
    const { basic } = await makeKey(app, 'without-audiences');
    return postForm(app, '/token', { grant_type: 'client_credentials' }, basic);
  },
  unsupported_grant_type: async () => {
    const { basic } = await makeKey(app, 'with-a-password');
    return postForm(app, '/token', { grant_type: 'password' }, basic);
  },
  invalid_scope: async () => {
    const { basic } = await makeKey(app, 'with-scopes', { audiences: [BILLING] });
    return postForm(app, '/token', { grant_type: 'client_credentials', scope: 'all' }, basic);
  },
  unsupported_token_type: async () => {
    const { basic } = await makeKey(app, 'for-billing', { audiences: [BILLING] });
    const { body } = await postForm(app, '/token', { grant_type: 'client_credentials' }, basic);
    return postForm(app, '/revoke', { token: body.access_token }, basic);
  },
  invalid_target: async () => {
    const { username } = await app.register();
    return app.login(username, PASSWORD, { resource: 'https://nobody.example.com' });
  },
  account_disabled: async () => {
    const { userId, username } = await app.register();
    await app.kernel.accountState.disable(operator, userId);
    return app.login(username);
  },
  registration_closed: () =>
    closed.call('POST', '/register', { body: { username: 'a', password: PASSWORD } }),
  origin_not_allowed: () => closed.login('a', PASSWORD, { cookie: true }),
  not_found: () => app.call('GET', '/nope'),
  method_not_allowed: () => app.call('PUT', '/me'),
  username_taken: async () =>
    app.call('POST', '/register', {
      body: { username: (await app.register()).username, password: PASSWORD },
    }),
  conflict: async () => {
    for (let round = 0; ; round++) {
      const { access } = await app.register();
      const change = (i: number) =>
        app.call('POST', '/me/password', {
          token: access,
          body: { current_password: PASSWORD, new_password: `horse number ${i} battery staple` },
        });
      const reply = await anyOf(
        'conflict',
        Array.from({ length: 9 }, (_, i) => change(i)),
      );
      if (reply.body.code === 'conflict' || round === 20) return reply;
    }
  },
  mfa_enrolment_required: async () => {
    const own = await createTestApp({ config: '[mfa]\nrequired = "all"\n' });
    await own.register('overdue');
    own.clock.advance(15 * 86_400_000);
    const reply = await own.login('overdue');
    await own.stop();
    return reply;
  },
  no_second_factor: async () =>
    app.call('POST', '/me/recovery-codes', { token: (await app.register()).access }),
  last_second_factor: async () => {
    const own = await createTestApp({ config: '[mfa]\nrequired = "all"\n' });
    const { access } = await own.register();
    await enrolIn(own, access);
    const reply = await own.call('DELETE', '/me/totp', { token: access });
    await own.stop();
    return reply;
  },
  last_sign_in_method: async () => {
    const user = await app.register();
    const { id } = await addPasskey(app, user);
    await forgetPassword(app, user.userId);
    return app.call('DELETE', `/me/passkeys/${id}`, { token: user.access });
  },
  passkey_registered: async () => {
    const user = await app.register();
    const { made } = await addPasskey(app, user);
    return (await tryRegister(app, user, { id: Buffer.from(made.id, 'base64url') })).reply;
  },
  too_many_passkeys: async () => {
    const user = await app.register();
    for (let i = 0; i < 20; i++) await addPasskey(app, user);
    return app.call('POST', '/me/passkeys/options', { token: user.access });
  },
  other_device: async () => {
    const { access } = await app.register();
    const email = 'elsewhere@example.com';
    await app.call('PATCH', '/me', { token: access, body: { email } });
    const code = (await app.emails(email))[0]?.values['code'];
    await app.call('POST', '/email/verify', { token: access, body: { code } });
    await app.call('POST', '/login/otp', { body: { email } });
    const { hash } = new URL((await app.emails(email)).at(-1)?.values['link'] ?? '');
    const token = new URLSearchParams(hash.slice(1)).get('token');
    return app.call('POST', '/login/link', { body: { token } });
  },
  invalid_code: () =>
    app.call('POST', '/register/verify', { body: { registration_id: 'x', code: '000000' } }),
  token_spent_or_expired: () => app.call('POST', '/password/reset/check', { body: { token: 'x' } }),
  password_change_required: async () => {
    const { userId, username } = await app.register();
    await app.kernel.accountState.expirePassword(operator, userId);
    return app.login(username);
  },
  header_too_large: () =>
    bytes(app.url, request('GET /healthz', [`X-Long: ${'a'.repeat(32_000)}`])),
  request_timeout: async () => {
    const own = await createTestApp({
      config: '[server]\nheader_timeout = "1s"\nrequest_timeout = "1s"\n',
    });
    const reply = await bytes(own.url, 'GET /healthz HTTP/1.1\r\nHost: a\r\n');
    await own.stop();
    return reply;
  },
  content_too_large: () => app.call('POST', '/login', { raw: `"${'a'.repeat(70_000)}"` }),
  unsupported_media_type: () =>
    app.call('POST', '/login', {
      raw: 'a=b',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }),
  invalid_request: () => app.call('POST', '/login', { body: {} }),
  too_many_attempts: () =>
    until('too_many_attempts', () => app.login('tried-often', 'wrong horse battery'), 20),
  internal_error: async () => {
    const own = await createTestApp();
    const { access } = await own.register();
    await own.db.close();
    const reply = await own.call('GET', '/me', { token: access });
    await own.stop().catch(() => undefined);
    return reply;
  },
  rate_limited: async () => {
    const own = await createTestApp({ config: '[limits]\ncheck = "1/1h"\n' });
    const check = () => own.call('POST', '/password/check', { body: { password: PASSWORD } });
    await check();
    const reply = await check();
    await own.stop();
    return reply;
  },
  storage_unavailable: async () => {
    const own = await createTestApp();
    const { write } = own.db;
    own.db.write = () => Promise.reject(new StorageUnavailable('the disk refused'));
    const reply = await own.call('POST', '/register', {
      body: { username: 'late', password: PASSWORD },
    });
    own.db.write = write;
    await own.stop();
    return reply;
  },
  overloaded: () => app.whileHashQueueIsFull(() => app.login('busy')),
  not_ready: async () => {
    const own = await createTestApp();
    await own.db.close();
    const reply = await own.call('GET', '/readyz');
    await own.stop().catch(() => undefined);
    return reply;
  },
};

describe('the catalogue', () => {
  test('every code is declared by a route or belongs to the front door', () => {
    const declared = new Set<string>([
      ...FRONT_DOOR,
      ...BEARER,
      ...API_KEY,
      ...[...app.routes, ...closed.routes].flatMap(({ problems }) => problems),
    ]);
    expect(CODES.filter((code) => !declared.has(code))).toEqual([]);
  });

  test('every code that can be answered is brought about below', () => {
    const declared = new Set<string>([
      ...FRONT_DOOR,
      ...BEARER,
      ...API_KEY,
      ...[...app.routes, ...closed.routes].flatMap(({ problems }) => problems),
    ]);
    expect([...declared].filter((code) => !(code in PRODUCED)).sort()).toEqual([]);
  });

  test.each(Object.keys(PRODUCED))('%s', async (code) => {
    const made = CODES.find((candidate) => candidate === code);
    if (made === undefined) throw new Error('not in the catalogue');
    const reply = await PRODUCED[made]?.();
    const { status, title } = PROBLEMS[made];
    if (OAUTH.includes(made)) {
      expect([reply?.status, reply?.headers.get('content-type')]).toEqual([
        status,
        'application/json',
      ]);
      expect(reply?.body).toEqual({
        error: oauthErrorOf(made).error,
        error_description: expect.stringMatching(/\.$/),
        request_id: reply?.headers.get('x-request-id'),
      });
      if (status === 401) expect(reply?.headers.get('www-authenticate')).toMatch(/^Basic/);
      return;
    }
    expect(reply?.body).toMatchObject({
      type: `urn:postern:problem:${code}`,
      code,
      status,
      title,
      detail: expect.any(String),
      request_id: reply?.headers.get('x-request-id'),
    });
    expect([reply?.status, reply?.headers.get('content-type')]).toEqual([
      status,
      'application/problem+json',
    ]);
    if (status === 429 || code === 'overloaded')
      expect(reply?.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    if (status === 405) expect(reply?.headers.get('allow')).toBeTruthy();
    if (status === 401) expect(reply?.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(reply?.body.detail).toMatch(/\.$/);
  });

  test('codes are snake_case, and their words say no more than they should', () => {
    for (const { code, title, detail, status } of catalogue()) {
      expect(code).toMatch(/^[a-z]+(?:_[a-z]+)*$/);
      expect([status >= 400 && status < 600, title.length > 0, detail.endsWith('.')]).toEqual([
        true,
        true,
        true,
      ]);
    }
  });
});
