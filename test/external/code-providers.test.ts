/** Codes at providers that are like no other, and at one that is down, slow or hostile. */
import { createHmac } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Reply } from '../support/app.ts';
import { CLIENT_SECRET, OTHER_TENANT, TENANT, startCodeRig } from './code-rig.ts';
import type { CodeRig } from './code-rig.ts';
import type { Answer } from './shaped.ts';

let rig: CodeRig;
beforeAll(async () => {
  rig = await startCodeRig();
});
afterAll(() => rig.stop());

const TOKEN = 'planted-access-token';
const BEARER = { access_token: TOKEN, token_type: 'bearer' };
const REFUSED = [401, 'invalid_credentials'];
const DOWN = [503, 'provider_unavailable'];
const outcome = ({ status, body }: Reply) => [status, body.code];
const me = async ({ body }: Reply) =>
  (await rig.app.call('GET', '/me', { token: body.access_token })).body;
const answers = (path: string, answer: Answer) => rig.shaped.answers.set(path, () => answer);
/** Signs in at a shaped provider with what it answers now. */
const signIn = async (provider: string): Promise<Reply> =>
  rig.present(provider, await rig.shapedProof(provider));

function githubWith(user: object, emails: Answer): void {
  answers('/login/oauth/access_token', { body: { ...BEARER, scope: 'user:email' } });
  answers('/api/user', { body: user });
  answers('/api/user/emails', emails);
}
const address = (email: string, primary: boolean, verified: boolean) => ({
  email,
  primary,
  verified,
  visibility: null,
});

describe('GitHub', () => {
  test('the user is the number, and the address is the primary one if it is verified', async () => {
    githubWith(
      { id: 583231, login: 'octocat', name: 'The Octocat', email: 'public@example.com' },
      {
        body: [
          address('second@example.com', false, true),
          address('octocat@example.com', true, true),
        ],
      },
    );
    const proof = await rig.shapedProof('github');
    expect(Object.fromEntries(proof.asked)).toMatchObject({
      client_id: 'Iv1.abc',
      scope: 'user:email',
      code_challenge_method: 'S256',
    });
    expect(proof.asked.has('nonce')).toBe(false);
    rig.shaped.asked.length = 0;
    const first = await rig.present('github', proof);
    expect(await me(first)).toMatchObject({
      email: 'octocat@example.com',
      display_name: 'The Octocat',
    });
    const [exchange, ...asked] = rig.shaped.asked;
    expect(exchange?.form).toMatchObject({
      grant_type: 'authorization_code',
      code: 'the-code',
      client_id: 'Iv1.abc',
      client_secret: CLIENT_SECRET,
      redirect_uri: proof.asked.get('redirect_uri'),
      code_verifier: expect.stringMatching(/^[\w-]{43}$/),
    });
    for (const { headers } of asked) expect(headers.authorization).toBe(`Bearer ${TOKEN}`);
    // Another one took the login over: another account.
    githubWith({ id: 7, login: 'octocat' }, { body: [] });
    const other = await me(await signIn('github'));
    expect([other.email, other.display_name]).toEqual([null, null]);
    githubWith({ id: 583231, login: 'renamed' }, { body: [] });
    expect((await me(await signIn('github'))).email).toBe('octocat@example.com');
  });

  test('I02: an address that is unverified, not the primary one, or hidden is none', async () => {
    const emails: readonly Answer[] = [
      { body: [address('a@example.com', true, false)] },
      { body: [address('b@example.com', false, true)] },
      { status: 404, body: { message: 'Not Found' } },
      { status: 403, body: { message: 'Resource not accessible by integration' } },
    ];
    for (const [at, listed] of emails.entries()) {
      githubWith({ id: 100 + at, email: 'c@example.com' }, listed);
      const reply = await signIn('github');
      expect([reply.status, (await me(reply)).email]).toEqual([200, null]);
    }
  });

  test('has no ID tokens: neither a nonce nor a token is taken', async () => {
    const path = '/login/external/github/nonce';
    expect(outcome(await rig.app.call('POST', path))).toEqual([404, 'not_found']);
    expect(outcome(await rig.present('github', { id_token: 'x.y.z', nonce: 'x' }))).toEqual(
      REFUSED,
    );
  });
});

describe('Facebook', () => {
  test('the user is the id for this app, asked for with a proof of the secret; no address is verified', async () => {
    answers('/graph/oauth/access_token', { body: { ...BEARER, expires_in: 5_183_944 } });
    answers('/graph/me', { body: { id: '10158', name: 'Ada Lovelace', email: 'a@example.com' } });
    const proof = await rig.shapedProof('facebook');
    rig.shaped.asked.length = 0;
    const reply = await rig.present('facebook', proof);
    expect(await me(reply)).toMatchObject({ email: null, display_name: 'Ada Lovelace' });
    const asked = rig.shaped.asked.find(({ path }) => path === '/graph/me');
    expect(asked?.query['appsecret_proof']).toBe(
      createHmac('sha256', CLIENT_SECRET).update(TOKEN).digest('hex'),
    );
    const { body } = await rig.app.call('GET', '/me/identities', {
      token: reply.body.access_token,
    });
    expect(body.identities).toMatchObject([
      { issuer: `${rig.shaped.url}/fb`, subject: '10158', email: 'a@example.com' },
    ]);
  });
});

describe('Microsoft, with several tenants', () => {
  const issuerOf = (tenant: string): string => `${rig.shaped.url}/${tenant}/v2.0`;
  /** Signs in with an ID token that has the nonce of the flow. */
  const withClaims = async (claims: object): Promise<Reply> => {
    const proof = await rig.shapedProof('tenants');
    const nonce = proof.asked.get('nonce');
    const all = { aud: 'app-of-many', sub: 'pairwise', nonce, ...claims };
    const id_token = await rig.shaped.idToken(all);
    answers('/token', { body: { ...BEARER, id_token } });
    return rig.present('tenants', proof);
  };
  beforeEach(() => {
    answers('/organizations/v2.0/.well-known/openid-configuration', {
      body: {
        issuer: issuerOf('{tenantid}'),
        authorization_endpoint: `${rig.shaped.url}/authorize`,
        token_endpoint: `${rig.shaped.url}/token`,
        jwks_uri: `${rig.shaped.url}/keys`,
      },
    });
  });

  test('a user is issuer and sub; an address of a tenant is never a verified one', async () => {
    const email = 'ceo@victim.example.com';
    const claims = { email, email_verified: true, xms_edov: true, name: 'Eve' };
    const first = await withClaims({ ...claims, iss: issuerOf(TENANT), tid: TENANT });
    const second = await withClaims({ ...claims, iss: issuerOf(OTHER_TENANT) });
    const [one, two] = [await me(first), await me(second)];
    expect([one.email, two.email, one.display_name]).toEqual([null, null, 'Eve']);
    expect(one.id).not.toBe(two.id);
  });

  test('ASVS 6.8.4: whatever a provider says of its own sign-in, a session is aal1', async () => {
    const strong = { acr: 'aal3', amr: ['hwk', 'mfa'], auth_time: 1 };
    const { body } = await withClaims({ ...strong, iss: issuerOf(TENANT), sub: 'strong' });
    const { claims } = (
      await rig.app.call('POST', '/verify', { body: { token: body.access_token } })
    ).body;
    expect([claims.acr, claims.amr]).toEqual(['aal1', ['fed']]);
  });

  test('I01: another tenant, the template itself, or another client is refused', async () => {
    const stranger = '22222222-2b34-4da1-9baa-8bc8c9d6a490';
    for (const claims of [
      { iss: issuerOf(stranger), tid: stranger },
      { iss: issuerOf('{tenantid}') },
      { iss: issuerOf('common') },
      { iss: issuerOf(TENANT), aud: 'another-app' },
      { iss: issuerOf(TENANT), nonce: 'another' },
      { iss: issuerOf(TENANT), nonce: undefined },
    ])
      expect(outcome(await withClaims(claims))).toEqual(REFUSED);
  });

  test('I01: a key that names a tenant signs for no other one', async () => {
    const keys = await rig.shaped.answers.get('/keys')?.(Object());
    const [key] = Object(keys?.body).keys;
    const issuer = issuerOf(OTHER_TENANT);
    rig.shaped.answers.set('/keys', () => ({ body: { keys: [{ ...key, issuer }] } }));
    rig.app.clock.advance(25 * 3_600_000);
    const iat = Math.floor(rig.app.clock.now() / 1000);
    const times = { iat, exp: iat + 300 };
    expect(outcome(await withClaims({ ...times, iss: issuerOf(TENANT) }))).toEqual(REFUSED);
    expect((await withClaims({ ...times, iss: issuer })).status).toBe(200);
    rig.shaped.answers.set('/keys', () => ({ body: { keys: [key] } }));
  });
});

describe('Apple', () => {
  test('gets a secret that the key signs, and a form for its answer if an address is asked for', async () => {
    const issuer = `${rig.shaped.url}/apple`;
    answers('/apple/.well-known/openid-configuration', {
      body: {
        issuer,
        authorization_endpoint: `${issuer}/auth/authorize`,
        token_endpoint: `${issuer}/auth/token`,
      },
    });
    const proof = await rig.shapedProof('apple');
    expect(Object.fromEntries(proof.asked)).toMatchObject({
      response_mode: 'form_post',
      scope: 'email',
    });
    const iat = Math.floor(rig.app.clock.now() / 1000);
    const id_token = await rig.shaped.idToken({
      iss: issuer,
      aud: 'com.example.shop',
      sub: '000123.abc',
      nonce: proof.asked.get('nonce'),
      email: 'x@privaterelay.appleid.com',
      email_verified: true,
      iat,
      exp: iat + 300,
    });
    answers('/apple/auth/token', { body: { ...BEARER, id_token } });
    rig.shaped.asked.length = 0;
    expect((await me(await rig.present('apple', proof))).email).toBe('x@privaterelay.appleid.com');
    const secret = rig.shaped.asked[0]?.form['client_secret'] ?? '';
    expect(decodeProtectedHeader(secret)).toEqual({ alg: 'ES256', kid: 'ABC123DEFG' });
    expect(decodeJwt(secret)).toEqual({
      iss: 'DEF123GHIJ',
      sub: 'com.example.shop',
      aud: issuer,
      iat,
      exp: iat + 300,
    });
  });
});

describe('LinkedIn', () => {
  test('gets no PKCE, which it refuses, and no nonce, which it does not give back', async () => {
    const issuer = `${rig.shaped.url}/linkedin`;
    answers('/linkedin/.well-known/openid-configuration', {
      body: {
        issuer,
        authorization_endpoint: `${issuer}/v2/authorization`,
        token_endpoint: `${issuer}/v2/accessToken`,
        jwks_uri: `${rig.shaped.url}/keys`,
      },
    });
    const iat = Math.floor(rig.app.clock.now() / 1000);
    const claims = { iss: issuer, aud: '86abc', sub: '782bbtaQ', iat, exp: iat + 300 };
    const answer = async (more: object) =>
      answers('/linkedin/v2/accessToken', {
        body: { ...BEARER, id_token: await rig.shaped.idToken({ ...claims, ...more }) },
      });
    await answer({ name: 'Ada', email: 'ada@example.com', email_verified: true });
    const proof = await rig.shapedProof('linkedin');
    for (const name of ['code_challenge', 'code_challenge_method', 'nonce'])
      expect(proof.asked.has(name)).toBe(false);
    rig.shaped.asked.length = 0;
    expect((await me(await rig.present('linkedin', proof))).email).toBe('ada@example.com');
    expect(Object.keys(rig.shaped.asked[0]?.form ?? {}).sort()).toEqual([
      'client_id',
      'client_secret',
      'code',
      'grant_type',
      'redirect_uri',
    ]);
    await answer({ aud: 'another-app' });
    expect(outcome(await signIn('linkedin'))).toEqual(REFUSED);
  });
});

describe('I07', () => {
  const path = '/login/oauth/access_token';

  test('a provider that is down, odd, huge or redirects is unavailable, and others are not', async () => {
    githubWith({ id: 1 }, { body: [] });
    const good = rig.shaped.answers.get(path);
    const odd: readonly Answer[] = [
      { status: 500 },
      { status: 429, headers: { 'retry-after': '60' } },
      { body: '<html>' },
      { body: [] },
      { body: { access_token: 7 } },
      { status: 400, body: 'no' },
      { body: `{"access_token":"x${' '.repeat(300_000)}"}` },
      { status: 302, headers: { location: 'http://169.254.169.254/latest/meta-data' } },
    ];
    for (const answer of odd) {
      answers(path, answer);
      const reply = await signIn('github');
      expect(outcome(reply)).toEqual(DOWN);
      // The flow is spent: to send it again would be of no use.
      expect(reply.headers.get('retry-after')).toBeNull();
    }
    rig.shaped.answers.set(path, good ?? (() => ({})));
    for (const answer of [{ status: 500 }, { body: { id: 'x' } }, { body: { login: 'octocat' } }]) {
      answers('/api/user', answer);
      expect(outcome(await signIn('github'))).toEqual(DOWN);
    }
    githubWith({ id: 1 }, { status: 500 });
    expect(outcome(await signIn('github'))).toEqual(DOWN);
    githubWith({ id: 1 }, { body: [] });
    expect((await signIn('github')).status).toBe(200);
    expect((await rig.app.register()).access).toBeDefined();
  });

  test('a code that the provider refuses is refused here; a client that it refuses is a matter for the operator', async () => {
    for (const [answer, expected] of [
      [{ body: { error: 'bad_verification_code' } }, REFUSED],
      [{ status: 400, body: { error: 'invalid_grant' } }, REFUSED],
      [{ status: 401, body: { error: 'invalid_client' } }, DOWN],
      [{ body: { error: 'incorrect_client_credentials' } }, DOWN],
    ] as const) {
      answers(path, answer);
      expect(outcome(await signIn('github'))).toEqual(expected);
    }
    const said = rig.app.log.findLast(({ event }) => event === 'provider.unavailable');
    expect(said).toMatchObject({ reason: 'github' });
    expect(said?.['exception.message']).toContain('incorrect_client_credentials');
  });

  test('while sixteen wait for one that is slow, the next is told at once and loses nothing', async () => {
    githubWith({ id: 2 }, { body: [] });
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let waiting = 0;
    const full = new Promise<void>((resolve) => {
      rig.shaped.answers.set(path, async () => {
        if (++waiting === 16) resolve();
        await held;
        return { body: BEARER };
      });
    });
    const proofs = await Promise.all(Array.from({ length: 17 }, () => rig.shapedProof('github')));
    const last = proofs.pop();
    const slow = proofs.map((proof) => rig.present('github', proof));
    await full;
    const refused = await rig.present('github', last ?? {});
    expect([...outcome(refused), refused.headers.get('retry-after')]).toEqual([...DOWN, '1']);
    answers('/graph/me', { body: { id: '3' } });
    expect((await signIn('facebook')).status).toBe(200);
    release();
    const replies = await Promise.all(slow);
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect((await rig.present('github', last ?? {})).status).toBe(200);
  });

  test('without its metadata nothing is spent, and nobody leaves for it', async () => {
    const metadata = '/organizations/v2.0/.well-known/openid-configuration';
    const proof = await rig.shapedProof('tenants');
    rig.app.clock.advance(25 * 3_600_000);
    answers(metadata, { status: 503 });
    const started = await rig.start('tenants');
    expect([...outcome(started), started.headers.get('retry-after')]).toEqual([...DOWN, '5']);
    expect(outcome(await rig.present('tenants', proof))).toEqual(DOWN);
    const body = { issuer: `${rig.shaped.url}/{tenantid}/v2.0`, token_endpoint: 'http://10.0.0.1' };
    answers(metadata, { body });
    rig.app.clock.advance(6_000);
    expect(outcome(await rig.start('tenants'))).toEqual(DOWN);
  });

  test('no token of a provider is kept or said', async () => {
    const map = (rows: readonly (readonly unknown[])[]) => rows.map(([sql]) => String(sql));
    const read = (sql: string) => rig.app.db.read({ sql, params: [], map, returns: true });
    const tables = await read("SELECT name FROM sqlite_master WHERE type = 'table'");
    for (const table of tables) {
      const whole = (rows: unknown[][]) => rows;
      const sql = `SELECT * FROM "${table}"`;
      const rows = await rig.app.db.read({ sql, params: [], map: whole, returns: true });
      expect(JSON.stringify(rows)).not.toContain(TOKEN);
    }
    const said = JSON.stringify(rig.app.log);
    for (const secret of [TOKEN, CLIENT_SECRET, 'the-code']) expect(said).not.toContain(secret);
  });
});
