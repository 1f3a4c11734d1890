/**
 * The catalogue of problems against the routes that declare them and the tests that bring them
 * about.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { oauthErrorOf } from '../../src/http/oauth-error.ts';
import { PROBLEMS, catalogue } from '../../src/http/problems.ts';
import { REFUSALS } from '../../src/refusal.ts';
import type { RefusalCode } from '../../src/refusal.ts';
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
  app = await createTestApp({ config: `[audiences."${BILLING}"]\n` });
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
    await refresh((await refresh(token)).body.refresh_token);
    return refresh(token);
  },
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

describe('each refusal that a route declares', () => {
  /** Which test brings it about: route, then code, then the file. */
  const TESTED: Readonly<Record<string, string>> = {
    'POST /register username_taken': 'account/register.test.ts',
    'POST /register origin_not_allowed': 'http/cors.test.ts',
    'POST /register overloaded': 'account/register.test.ts',
    'POST /register registration_closed': 'contract/openapi.test.ts',
    'POST /login invalid_credentials': 'password/routes.test.ts',
    'POST /login account_disabled': 'password/routes.test.ts',
    'POST /login origin_not_allowed': 'password/routes.test.ts',
    'POST /login too_many_attempts': 'password/routes.test.ts',
    'POST /login overloaded': 'password/routes.test.ts',
    'POST /reauthenticate invalid_credentials': 'password/routes.test.ts',
    'POST /reauthenticate origin_not_allowed': 'password/routes.test.ts',
    'POST /reauthenticate insufficient_user_authentication': 'mfa/policy.test.ts',
    'POST /reauthenticate too_many_attempts': 'password/routes.test.ts',
    'POST /reauthenticate overloaded': 'password/routes.test.ts',
    'POST /me/password invalid_credentials': 'password/routes.test.ts',
    'POST /me/password conflict': 'password/routes.test.ts',
    'POST /me/password too_many_attempts': 'password/routes.test.ts',
    'POST /me/password overloaded': 'password/routes.test.ts',
    'POST /refresh invalid_token': 'token/http-jwt.test.ts',
    'POST /refresh refresh_token_expired': 'session/refresh.test.ts',
    'POST /refresh refresh_token_reused': 'session/refresh.test.ts',
    'POST /refresh session_revoked': 'session/refresh.test.ts',
    'POST /refresh account_disabled': 'contract/openapi.test.ts',
    'POST /refresh origin_not_allowed': 'http/cors.test.ts',
    'POST /logout invalid_token': 'token/http-jwt.test.ts',
    'POST /logout origin_not_allowed': 'http/cors.test.ts',
    'PATCH /me username_taken': 'account/me.test.ts',
    'DELETE /me/sessions/{id} not_found': 'http/front-door.test.ts',
    'PATCH /me overloaded': 'email/refusals.test.ts',
    'POST /login password_change_required': 'email/refusals.test.ts',
    'POST /register/verify invalid_code': 'email/refusals.test.ts',
    'POST /register/verify invalid_credentials': 'email/refusals.test.ts',
    'POST /register/verify origin_not_allowed': 'email/refusals.test.ts',
    'POST /register/verify token_spent_or_expired': 'email/refusals.test.ts',
    'POST /register/verify too_many_attempts': 'email/refusals.test.ts',
    'POST /register/verify overloaded': 'email/refusals.test.ts',
    'POST /register/resend overloaded': 'email/refusals.test.ts',
    'POST /email/verify invalid_code': 'email/refusals.test.ts',
    'POST /email/verify too_many_attempts': 'email/refusals.test.ts',
    'POST /email/verify overloaded': 'email/refusals.test.ts',
    'POST /email/verify/resend overloaded': 'email/refusals.test.ts',
    'POST /password/reset token_spent_or_expired': 'email/refusals.test.ts',
    'POST /password/reset overloaded': 'email/refusals.test.ts',
    'POST /password/reset/check token_spent_or_expired': 'email/refusals.test.ts',
    'GET /verify invalid_token': 'token/http-jwt.test.ts',
    'GET /verify session_revoked': 'contract/openapi.test.ts',
    'GET /keys/{kid}.pem not_found': 'http/front-door.test.ts',
    'POST /login mfa_enrolment_required': 'mfa/policy.test.ts',
    'POST /refresh mfa_enrolment_required': 'mfa/policy.test.ts',
    'POST /login/mfa invalid_credentials': 'mfa/sign-in.test.ts',
    'POST /login/mfa password_change_required': 'mfa/ways-round.test.ts',
    'POST /reauthenticate mfa_enrolment_required': 'mfa/ways-round.test.ts',
    'POST /login/mfa invalid_token': 'mfa/sign-in.test.ts',
    'POST /login/mfa origin_not_allowed': 'mfa/sign-in.test.ts',
    'POST /login/mfa too_many_attempts': 'mfa/sign-in.test.ts',
    'POST /login/mfa overloaded': 'mfa/sign-in.test.ts',
    'POST /me/totp/confirm invalid_code': 'mfa/totp.test.ts',
    'POST /me/totp/confirm conflict': 'mfa/totp.test.ts',
    'POST /me/totp/confirm too_many_attempts': 'mfa/totp.test.ts',
    'POST /me/totp/confirm overloaded': 'mfa/totp.test.ts',
    'DELETE /me/totp not_found': 'mfa/totp.test.ts',
    'DELETE /me/totp last_second_factor': 'mfa/policy.test.ts',
    'DELETE /me/totp conflict': 'mfa/totp.test.ts',
    'POST /me/recovery-codes no_second_factor': 'mfa/recovery-code.test.ts',
    'POST /me/recovery-codes conflict': 'mfa/recovery-code.test.ts',
    'POST /me/recovery-codes overloaded': 'mfa/recovery-code.test.ts',
    'POST /me/passkeys passkey_registered': 'passkey/registration-attacks.test.ts',
    'POST /me/passkeys conflict': 'passkey/registration-attacks.test.ts',
    'DELETE /me/passkeys/{id} not_found': 'passkey/registration-attacks.test.ts',
    'DELETE /me/passkeys/{id} last_sign_in_method': 'passkey/registration-attacks.test.ts',
    'DELETE /me/passkeys/{id} conflict': 'passkey/registration-attacks.test.ts',
    'POST /me/passkeys/options too_many_passkeys': 'passkey/sign-in.test.ts',
    'POST /me/passkeys too_many_passkeys': 'passkey/sign-in.test.ts',
    'PATCH /me/passkeys/{id} not_found': 'passkey/sign-in.test.ts',
    'POST /login/passkey invalid_credentials': 'passkey/sign-in.test.ts',
    'POST /login/passkey account_disabled': 'passkey/sign-in.test.ts',
    'POST /login/passkey origin_not_allowed': 'passkey/sign-in.test.ts',
    'POST /login/passkey password_change_required': 'passkey/second-factor.test.ts',
    'DELETE /me/passkeys/{id} last_second_factor': 'passkey/second-factor.test.ts',
    'POST /login/mfa/passkey/options invalid_token': 'passkey/second-factor.test.ts',
    'POST /login/mfa/passkey/options not_found': 'passkey/second-factor.test.ts',
    'POST /reauthenticate/passkey/options not_found': 'passkey/second-factor.test.ts',
    'GET /readyz not_ready': 'contract/problems.test.ts',
    'POST /login invalid_target': 'siblings/audience.test.ts',
    'POST /login/mfa invalid_target': 'siblings/audience.test.ts',
    'POST /refresh invalid_target': 'siblings/audience.test.ts',
    'POST /revoke unsupported_token_type': 'siblings/introspection.test.ts',
    'GET /status-lists/{n} not_found': 'siblings/status-list.test.ts',
    'POST /token unsupported_grant_type': 'siblings/token.test.ts',
    'POST /token unauthorized_client': 'siblings/token.test.ts',
    'POST /token invalid_target': 'siblings/token.test.ts',
    'POST /token invalid_scope': 'siblings/token.test.ts',
  };
  /** Declared for the day when the database's queue is bounded: nothing brings it about now. */
  const UNPROVOKED: readonly string[] = ['POST /refresh overloaded', 'POST /logout overloaded'];

  test('has a test, and no test is listed for what nobody declares', () => {
    const declared = new Set(
      [...app.routes, ...closed.routes].flatMap(({ method, path, problems }) =>
        problems.map((code) => `${method.toUpperCase()} ${path} ${code}`),
      ),
    );
    expect(
      [...declared]
        .filter((pair) => TESTED[pair] === undefined && !UNPROVOKED.includes(pair))
        .sort(),
    ).toEqual([]);
    expect(
      [...Object.keys(TESTED), ...UNPROVOKED].filter((pair) => !declared.has(pair)).sort(),
    ).toEqual([]);
  });

  test.each(Object.entries(TESTED))('%s: %s', (pair, file) => {
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
    const [, path = '', code = ''] = pair.split(' ');
    expect(text).toContain(code);
    expect(text).toContain(path.split('{')[0]?.replace(/\/$/, ''));
  });
});
