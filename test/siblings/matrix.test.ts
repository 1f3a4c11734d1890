/** Each kind of token, at each place, for each audience: what it opens, and that it opens no more. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VerifierError } from '../../packages/verifier/src/index.ts';
import type { Verifier } from '../../packages/verifier/src/index.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { makeKey, postForm } from '../support/api-key.ts';
import type { MadeKey } from '../support/api-key.ts';
import { enrolIn } from '../support/mfa.ts';
import { createIssuer } from '../verifier/issuer.ts';
import type { Issuer } from '../verifier/issuer.ts';

const BILLING = 'https://billing.example.com';
const CHAT = 'https://chat.example.com';
const OWN = 'postern';
const CONFIG = `[audiences."${BILLING}"]\nscopes = ["read"]\n[audiences."${CHAT}"]\n`;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';

const KINDS = [
  'own',
  'for billing',
  'exchanged for chat',
  'exchanged twice',
  'of a service for billing',
  'of a service for chat',
  'refresh',
  'challenge',
  'device',
  'status list',
] as const;
type Kind = (typeof KINDS)[number];

/** Whom a token is for, and whether a user's; the others are no access tokens. */
const ACCESS_TOKENS: Readonly<Partial<Record<Kind, { aud: string; isUser: boolean }>>> = {
  own: { aud: OWN, isUser: true },
  'for billing': { aud: BILLING, isUser: true },
  'exchanged for chat': { aud: CHAT, isUser: true },
  'exchanged twice': { aud: BILLING, isUser: true },
  'of a service for billing': { aud: BILLING, isUser: false },
  'of a service for chat': { aud: CHAT, isUser: false },
};

let issuer: Issuer;
let app: TestApp;
let gateway: MadeKey;
let ledger: MadeKey;
let tokens: Record<Kind, string>;
let user: SignedIn;
beforeAll(async () => {
  issuer = await createIssuer({ config: CONFIG });
  ({ app } = issuer);
  gateway = await makeKey(app, 'gateway', {
    scopes: ['introspect', 'exchange'],
    audiences: [BILLING, CHAT],
    mayExchangeTo: [CHAT],
  });
  ledger = await makeKey(app, 'ledger', { scopes: ['exchange'], mayExchangeTo: [BILLING] });
  user = await app.register('ada');
  const exchange = async (key: MadeKey, subject: string): Promise<string> =>
    (await exchanged(subject, key)).body.access_token;
  const service = async (resource: string): Promise<string> => {
    const form = { grant_type: 'client_credentials', resource };
    return (await postForm(app, '/token', form, gateway.basic)).body.access_token;
  };
  const other = await app.call('POST', '/refresh', {
    body: { refresh_token: user.refresh, resource: BILLING },
  });
  const chat = await exchange(gateway, user.access);
  const second = await app.register('grace');
  await enrolIn(app, second.access);
  tokens = {
    own: user.access,
    'for billing': other.body.access_token,
    'exchanged for chat': chat,
    'exchanged twice': await exchange(ledger, chat),
    'of a service for billing': await service(BILLING),
    'of a service for chat': await service(CHAT),
    refresh: other.body.refresh_token,
    challenge: (await app.login('grace')).body.challenge_token,
    device: user.deviceToken,
    'status list': (await app.call('GET', '/status-lists/0')).body,
  };
});
afterAll(() => issuer.stop());

function exchanged(subject: string, key: MadeKey): Promise<Reply> {
  const form = { grant_type: EXCHANGE, subject_token: subject, subject_token_type: ACCESS };
  return postForm(app, '/token', form, key.basic);
}

test('all are there', () => {
  for (const kind of KINDS) expect([kind, tokens[kind]]).toEqual([kind, expect.any(String)]);
});

describe.each(KINDS)('%s', (kind) => {
  const about = ACCESS_TOKENS[kind];

  test('at every bearer route: this service’s own access token alone', async () => {
    const bearers = app.routes.flatMap((route) =>
      route.kind === 'operation' &&
      route.security !== 'public' &&
      route.security.scheme === 'bearer'
        ? [route]
        : [],
    );
    expect(bearers.length).toBeGreaterThan(10);
    if (kind === 'own') {
      expect((await app.call('GET', '/me', { token: tokens[kind] })).status).toBe(200);
      return;
    }
    for (const { method, path } of bearers) {
      const at = path.replace(/\{\w+\}/g, user.sessionId);
      const { status, body } = await app.call(method.toUpperCase(), at, { token: tokens[kind] });
      expect([path, status, body.code]).toEqual([path, 401, 'invalid_token']);
    }
  });

  test('at every route of API keys: never, however it comes', async () => {
    for (const path of ['/introspect', '/revoke', '/token'])
      for (const headers of [
        { authorization: `Bearer ${tokens[kind]}` },
        {
          authorization: `Basic ${Buffer.from(`${gateway.id}:${tokens[kind]}`).toString('base64')}`,
        },
        { 'postern-key': `${gateway.id}:${tokens[kind]}` },
      ]) {
        const { status, body } = await postForm(app, path, { token: 'x' }, headers);
        expect([path, [401, 429].includes(status), body.active]).toEqual([path, true, undefined]);
      }
  });

  test('at GET /verify and POST /verify', async () => {
    const status = kind === 'own' ? 204 : 401;
    expect((await app.call('GET', '/verify', { token: tokens[kind] })).status).toBe(status);
    const { body } = await app.call('POST', '/verify', { body: { token: tokens[kind] } });
    expect(body.verified).toBe(kind === 'own');
  });

  test('at /refresh and /logout', async () => {
    if (kind === 'refresh') return;
    const body = { refresh_token: tokens[kind] };
    expect((await app.call('POST', '/refresh', { body })).status).toBe(401);
    expect((await app.call('POST', '/logout', { body })).status).toBe(401);
    if (kind === 'own') return;
    expect((await app.call('POST', '/refresh', { token: tokens[kind] })).status).toBe(401);
    expect((await app.call('POST', '/logout', { token: tokens[kind] })).status).toBe(401);
  });

  test('at /introspect: access tokens of every audience', async () => {
    const { body } = await postForm(app, '/introspect', { token: tokens[kind] }, gateway.basic);
    if (about === undefined) expect(body).toEqual({ active: false });
    else expect(body).toMatchObject({ active: true, aud: about.aud });
  });

  test('as the subject of an exchange: users’ access tokens, at most twice', async () => {
    const { status } = await exchanged(tokens[kind], gateway);
    const isGood = about?.isUser === true && kind !== 'exchanged twice';
    expect(status).toBe(isGood ? 200 : 400);
  });

  test.each([OWN, BILLING, CHAT])('at a verifier for %s', async (audience) => {
    const verifier = issuer.verifier({ audience });
    const judged = async (verify: Verifier['verify'] | Verifier['verifyAny']): Promise<string> => {
      try {
        await verify(tokens[kind]);
        return 'accepted';
      } catch (error) {
        if (error instanceof VerifierError) return error.code;
        throw error;
      }
    };
    const any = await judged(verifier.verifyAny);
    expect(any === 'accepted').toBe(about?.aud === audience);
    if (about !== undefined && about.aud !== audience) expect(any).toBe('wrong_audience');
    const isUsers = about?.isUser === true && about.aud === audience;
    expect((await judged(verifier.verify)) === 'accepted').toBe(isUsers);
  });
});

test('a revocation of any of them ends what it has to, and a sign-out all of the session', async () => {
  for (const kind of ['of a service for billing', 'of a service for chat'] as const) {
    const { status, body } = await postForm(app, '/revoke', { token: tokens[kind] }, gateway.basic);
    expect([status, body.error]).toEqual([400, 'unsupported_token_type']);
  }
  for (const kind of ['challenge', 'device', 'status list'] as const) {
    const { status } = await postForm(app, '/revoke', { token: tokens[kind] }, gateway.basic);
    expect([kind, status]).toEqual([kind, 200]);
  }
  const active = async (kind: Kind): Promise<boolean> =>
    (await postForm(app, '/introspect', { token: tokens[kind] }, gateway.basic)).body.active;
  const users = ['own', 'for billing', 'exchanged for chat', 'exchanged twice'] as const;
  expect(await Promise.all(users.map(active))).toEqual([true, true, true, true]);
  // The narrowest of them ends the session.
  await postForm(app, '/revoke', { token: tokens['exchanged twice'] }, gateway.basic);
  expect(await Promise.all(users.map(active))).toEqual([false, false, false, false]);
  expect(await active('of a service for billing')).toBe(true);
});
