/** Signing in and linking with authorization codes: a real provider, good and bad. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, tidy } from '../support/app.ts';
import type { Reply } from '../support/app.ts';
import { CALLBACK, CLIENT_ID, CLIENT_SECRET, OTHER_CALLBACK, startCodeRig } from './code-rig.ts';
import type { CodeRig } from './code-rig.ts';

let rig: CodeRig;
beforeAll(async () => {
  rig = await startCodeRig();
});
afterAll(() => rig.stop());

const outcome = ({ status, body }: Reply) => [status, body.code];
const REFUSED = [401, 'invalid_credentials'];
const me = async (token: string) => (await rig.app.call('GET', '/me', { token })).body;
const link = (token: string, body: object) =>
  rig.app.call('POST', '/me/identities/work', { token, body });
const count = async (table: string): Promise<unknown> => {
  const map = (rows: readonly (readonly unknown[])[]) => rows.map(([n]) => n);
  const sql = `SELECT count(*) FROM ${table}`;
  return (await rig.app.db.read({ sql, params: [], map, returns: true }))[0];
};

describe('a code', () => {
  test('is asked for with state, nonce and PKCE, at one of the pages that are configured', async () => {
    const { status, body } = await rig.start('work', { redirect_uri: OTHER_CALLBACK });
    expect([status, body.expires_in]).toEqual([200, 600]);
    const url = new URL(body.url);
    expect(`${url.origin}${url.pathname}`).toBe(`${rig.issuer}/auth`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: CLIENT_ID,
      response_type: 'code',
      redirect_uri: OTHER_CALLBACK,
      scope: 'openid email profile',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    });
    expect(body.flow).toMatch(/^[\w-]{43}$/);
    expect(body.url).not.toContain(body.flow);
    for (const [sent, code] of [
      [{}, 'required'],
      [{ redirect_uri: `${CALLBACK}/` }, 'invalid'],
      [{ redirect_uri: 'https://evil.example.com/' }, 'invalid'],
    ] as const) {
      const refused = await rig.start('work', sent);
      expect([refused.status, refused.body.errors[0].pointer, refused.body.errors[0].code]).toEqual(
        [422, '/redirect_uri', code],
      );
    }
    expect(outcome(await rig.start('tokens'))).toEqual([404, 'not_found']);
    expect(outcome(await rig.start('nobody'))).toEqual([404, 'not_found']);
  });

  test('signs in: the first time creates the account with the claims that are mapped', async () => {
    const first = await rig.present('work', await rig.proof('grace'));
    expect([first.status, first.body.status]).toEqual([200, 'authenticated']);
    const account = await me(first.body.access_token);
    expect(account).toMatchObject({
      email: 'grace@example.com',
      display_name: 'Grace Hopper',
      user_metadata: { locale: 'en-US', avatar: 'https://example.com/grace.png' },
    });
    const again = await rig.present('work', await rig.proof('grace'));
    expect((await me(again.body.access_token)).id).toBe(account.id);
    const { body } = await rig.app.call('GET', '/me/identities', {
      token: again.body.access_token,
    });
    expect(body.identities).toMatchObject([{ issuer: rig.issuer, subject: 'grace' }]);
  });

  test('and an ID token are presented one at a time, and whole', async () => {
    const proof = { code: 'x', state: 'x', flow: 'x' };
    for (const [sent, code] of [
      [{}, 'required'],
      [{ ...proof, id_token: 'x.y.z', nonce: 'x' }, 'too_many'],
      [{ id_token: 'x.y.z' }, 'required'],
      [{ code: 'x', flow: 'x' }, 'required'],
    ] as const) {
      const { status, body } = await rig.present('work', sent);
      expect([status, body.errors[0].code]).toEqual([422, code]);
    }
    expect(outcome(await rig.present('tokens', proof))).toEqual(REFUSED);
    expect(outcome(await rig.present('nobody', proof))).toEqual([404, 'not_found']);
  });

  test('account_exists, as with an ID token: its owner signs in and links', async () => {
    const begun = await rig.app.call('POST', '/register', {
      body: { email: 'owner@example.com', password: PASSWORD },
    });
    const code = (await rig.app.emails('owner@example.com'))[0]?.values['code'];
    const { body } = await rig.app.call('POST', '/register/verify', {
      body: { registration_id: begun.body.registration_id, code },
    });
    expect(outcome(await rig.present('work', await rig.proof('owner')))).toEqual([
      409,
      'account_exists',
    ]);
    const linked = await link(body.access_token, await rig.proof('owner'));
    expect([linked.status, linked.body.email]).toEqual([201, 'owner@example.com']);
    expect((await rig.present('work', await rig.proof('owner'))).status).toBe(200);
  });
});

describe('I04', () => {
  test('a code, its state and its flow are good once, also for fifty at once', async () => {
    const proof = await rig.proof('once');
    const replies = await Promise.all(Array.from({ length: 50 }, () => rig.present('work', proof)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 401)).toHaveLength(49);
    expect(outcome(await rig.present('work', proof))).toEqual(REFUSED);
    // The old code in a new flow: the provider has ended it, and PKCE would not fit.
    const next = await rig.proof('once');
    expect(outcome(await rig.present('work', { ...next, code: proof.code }))).toEqual(REFUSED);
  });

  test('another browser’s code or flow signs nobody in, into no account', async () => {
    const [mine, theirs] = [await rig.proof('mine'), await rig.proof('theirs')];
    for (const mixed of [
      { ...theirs, flow: mine.flow },
      { ...theirs, state: mine.state },
      { ...mine, flow: 'made-up' },
      { ...mine, state: 'made-up' },
    ])
      expect(outcome(await rig.present('work', mixed))).toEqual(REFUSED);
    // Nothing of this spent a flow. With state and flow of its own, a foreign code fails at PKCE.
    expect(outcome(await rig.present('work', { ...mine, code: theirs.code }))).toEqual(REFUSED);
    expect(outcome(await rig.present('work', mine))).toEqual(REFUSED);
    const { access } = await rig.app.register();
    expect(outcome(await link(access, { ...theirs, flow: mine.flow }))).toEqual(REFUSED);
    // Which has ended their code: a provider revokes one that was tried with a wrong verifier.
    expect((await rig.present('work', await rig.proof('theirs'))).status).toBe(200);
  });

  test('ten minutes after the start a code is refused, and the flow is removed', async () => {
    const proof = await rig.proof('late');
    rig.app.clock.advance(600_001);
    expect(outcome(await rig.present('work', proof))).toEqual(REFUSED);
    expect(await count('external_flow')).not.toBe(0);
    await tidy(rig.app);
    expect(await count('external_flow')).toBe(0);
  });

  test('waiting flows are bounded, and the bound ends with their time', async () => {
    const expiresAt = rig.app.clock.now() + 1_000;
    const sql = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
      INSERT INTO external_flow SELECT 'f' || i, 'work', 'x', ?, NULL FROM n`;
    await rig.app.db.write([{ sql, params: [expiresAt], map: () => [], returns: false }]);
    expect(outcome(await rig.start('github'))).toEqual([503, 'overloaded']);
    rig.app.clock.advance(1_001);
    expect((await rig.start('github')).status).toBe(200);
    await tidy(rig.app);
  });
});

describe('I05', () => {
  test('an answer of another issuer is refused (RFC 9207), and so is one without, if it is promised', async () => {
    const proof = await rig.proof('mixed');
    expect(proof.iss).toBe(rig.issuer);
    const { iss: _, ...without } = proof;
    for (const mixed of [{ ...proof, iss: `${rig.issuer}/` }, { ...proof, iss: 'x' }, without])
      expect(outcome(await rig.present('work', mixed))).toEqual(REFUSED);
    // Nobody was asked, and nothing is spent.
    expect((await rig.present('work', proof)).status).toBe(200);
  });

  test('a flow is of one provider: at another one it is refused', async () => {
    const proof = await rig.proof('moved');
    for (const name of ['github', 'facebook', 'apple', 'tokens'])
      expect(outcome(await rig.present(name, proof))).toEqual(REFUSED);
    expect(rig.shaped.asked).toEqual([]);
    expect((await rig.present('work', proof)).status).toBe(200);
  });

  test('a code without PKCE, or of a downgraded challenge, is refused', async () => {
    for (const change of [
      (url: URL) => {
        url.searchParams.delete('code_challenge');
        url.searchParams.delete('code_challenge_method');
      },
      (url: URL) => url.searchParams.set('code_challenge', 'A'.repeat(43)),
      (url: URL) => url.searchParams.set('nonce', 'another'),
    ]) {
      const { body } = await rig.start('work', { redirect_uri: CALLBACK });
      const url = new URL(body.url);
      change(url);
      const { code, state, iss } = await rig.tab().signIn(url.href, 'downgraded');
      const proof = { code, state, iss, flow: body.flow };
      expect(outcome(await rig.present('work', proof))).toEqual(REFUSED);
    }
  });
});

describe('within a session', () => {
  test('one identity that two accounts link at once gets to one of them', async () => {
    const users = [await rig.app.register(), await rig.app.register()];
    const proofs = [await rig.proof('wanted'), await rig.proof('wanted')];
    const replies = await Promise.all(
      users.map(({ access }, at) => link(access, proofs[at] ?? {})),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(replies.find(({ status }) => status === 409)?.body.code).toBe('identity_taken');
  });

  test('linking needs a fresh authentication, which a code gives to an account without a password', async () => {
    const { body } = await rig.present('work', await rig.proof('again'));
    const token = body.access_token;
    const again = async (external: object) =>
      rig.app.call('POST', '/reauthenticate', { token, body: { external } });
    rig.app.clock.advance(6 * 60_000);
    const add = (own: string) =>
      rig.app.call('POST', '/me/password', { token: own, body: { new_password: PASSWORD } });
    expect(outcome(await add(token))).toEqual([401, 'insufficient_user_authentication']);
    const { access } = await rig.app.register();
    rig.app.clock.advance(6 * 60_000);
    expect(outcome(await link(access, await rig.proof('elsewhere')))).toEqual([
      401,
      'insufficient_user_authentication',
    ]);
    for (const [proof, expected] of [
      [{ ...(await rig.proof('somebody')), provider: 'work' }, REFUSED],
      [{ ...(await rig.proof('again')), provider: 'nobody' }, REFUSED],
    ] as const)
      expect(outcome(await again(proof))).toEqual(expected);
    const missing = await again({ provider: 'work', code: 'x' });
    expect([missing.status, missing.body.errors[0].pointer]).toEqual([422, '/external']);
    const proof = { ...(await rig.proof('again')), provider: 'work' };
    const done = await again(proof);
    expect(done.status).toBe(200);
    expect(outcome(await again(proof))).toEqual(REFUSED);
    expect((await add(done.body.access_token)).status).toBe(204);
  });
});

test('no code, flow or secret of this is in the log', async () => {
  const proof = await rig.proof('logged');
  await rig.present('work', { ...proof, iss: 'x' });
  await rig.present('work', proof);
  await rig.present('work', proof);
  const said = JSON.stringify(rig.app.log);
  for (const secret of [proof.code, proof.state, proof.flow, CLIENT_SECRET])
    expect(said).not.toContain(secret);
});
