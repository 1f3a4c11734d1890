import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const MINUTE = 60_000;
const NEW = 'an entirely other passphrase';
let counter = 0;

async function provedUser(): Promise<{
  address: string;
  access: string;
  refresh: string;
  id: string;
}> {
  const address = `reset${++counter}@example.com`;
  const { body } = await app.call('POST', '/register', {
    body: { email: address, password: PASSWORD },
  });
  const [letter] = await app.emails(address);
  const made = await app.call('POST', '/register/verify', {
    body: { registration_id: body.registration_id, code: letter?.values['code'] },
  });
  return {
    address,
    access: made.body.access_token,
    refresh: made.body.refresh_token,
    id: made.body.user.id,
  };
}

const forgot = (username: string) => app.call('POST', '/password/forgot', { body: { username } });
const reset = (token: unknown, password = NEW) =>
  app.call('POST', '/password/reset', { body: { token, password } });
const check = (token: unknown) => app.call('POST', '/password/reset/check', { body: { token } });
async function tokenFor(address: string): Promise<string> {
  await forgot(address);
  const letters = await app.emails(address);
  return letters.find(({ template }) => template === 'reset_password')?.values['token'] ?? '';
}

describe('POST /password/forgot and /password/reset', () => {
  test('R03: resets, ends every session, signs nobody in, and tells the owner', async () => {
    const { address, access, refresh } = await provedUser();
    const token = await tokenFor(address);
    expect((await check(token)).status).toBe(204);
    const done = await reset(token);
    expect([done.status, done.body]).toEqual([204, '']);
    expect((await app.login(address)).status).toBe(401);
    expect((await app.login(address, NEW)).status).toBe(200);
    expect((await app.call('GET', '/me', { token: access })).status).toBe(401);
    expect(
      (await app.call('POST', '/refresh', { body: { refresh_token: refresh } })).body.code,
    ).toBe('session_revoked');
    expect((await app.emails(address)).map(({ template }) => template)).toEqual([
      'password_changed',
    ]);
    expect((await check(token)).body.code).toBe('token_spent_or_expired');
  });

  test('E03: known and unknown names get the same answer; an email is sent only to a verified address', async () => {
    const { address } = await provedUser();
    const pending = await app.call('POST', '/register', {
      body: {
        username: `claims${counter}`,
        email: `claimed${counter}@example.com`,
        password: PASSWORD,
      },
    });
    expect(pending.status).toBe(201);
    const replies = await Promise.all(
      [
        address,
        'nobody@example.com',
        'nobody',
        `claims${counter}`,
        `claimed${counter}@example.com`,
        'not a name',
        '',
      ].map(forgot),
    );
    for (const { status, body } of replies) expect([status, body]).toEqual([202, '']);
    expect((await app.emails(address)).map(({ template }) => template)).toEqual(['reset_password']);
    for (const nobody of ['nobody@example.com', `claimed${counter}@example.com`])
      expect(await app.emails(nobody)).toEqual([]);
  });

  test('R01: fifty redemptions in parallel of one link have one winner, in every round', async () => {
    for (let round = 0; round < 3; round++) {
      const { address } = await provedUser();
      const token = await tokenFor(address);
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_, i) => reset(token, `${NEW} number ${i}`)),
      );
      const winners = replies.flatMap(({ status }, i) => (status === 204 ? [i] : []));
      expect(winners).toHaveLength(1);
      expect((await app.login(address, `${NEW} number ${winners[0]}`)).status).toBe(200);
    }
  });

  test('R05: a password that is refused leaves the link good', async () => {
    const { address } = await provedUser();
    const token = await tokenFor(address);
    expect((await reset(token, 'short')).body.errors[0].code).toBe('too_short');
    expect((await reset(token, address)).status).toBe(422);
    expect((await reset(token)).status).toBe(204);
  });

  test('R01: dead past its life, after a password change, after an address change, and beyond three at once', async () => {
    const { address, access } = await provedUser();
    const old = await tokenFor(address);
    app.clock.advance(60 * MINUTE + 1_000);
    expect((await reset(old)).body.code).toBe('token_spent_or_expired');
    const fresh = await app.login(address);
    const second = await tokenFor(address);
    await app.call('POST', '/me/password', {
      token: fresh.body.access_token,
      body: { current_password: PASSWORD, new_password: NEW },
    });
    expect((await reset(second)).body.code).toBe('token_spent_or_expired');
    expect(access).toBeTruthy();
    const tokens: string[] = [];
    for (let i = 0; i < 4; i++) {
      app.clock.advance(2 * MINUTE);
      tokens.push(await tokenFor(address));
    }
    expect((await check(tokens[0])).status).toBe(410);
    expect((await check(tokens[1])).status).toBe(204);
  });

  test('O05: a link of one purpose opens nothing of another, and of a disabled account nothing', async () => {
    const { address, id } = await provedUser();
    const begun = await app.call('POST', '/register', {
      body: { email: `other${counter}@example.com`, password: PASSWORD },
    });
    expect(begun.status).toBe(202);
    const link = (await app.emails(`other${counter}@example.com`))[0]?.values['link'] ?? '';
    expect(
      (await reset(new URLSearchParams(new URL(link).hash.slice(1)).get('token'))).body.code,
    ).toBe('token_spent_or_expired');
    const token = await tokenFor(address);
    await app.kernel.accountState.disable(operator, id);
    expect((await reset(token)).body.code).toBe('token_spent_or_expired');
    await forgot(address);
    expect((await app.emails(address)).map(({ template }) => template)).toEqual([]);
  });

  test('R04: no other member is taken', async () => {
    const { address } = await provedUser();
    const token = await tokenFor(address);
    expect(
      (
        await app.call('POST', '/password/reset', {
          body: { token, password: NEW, email: 'other@example.com' },
        })
      ).status,
    ).toBe(422);
    expect((await reset(token)).status).toBe(204);
  });

  test('a reset unlocks a password that the limits have locked (N5)', async () => {
    const { address } = await provedUser();
    for (let i = 0; i < 11; i++) await app.login(address, 'wrong wrong wrong wrong');
    expect((await app.login(address)).status).toBe(429);
    expect((await reset(await tokenFor(address))).status).toBe(204);
    expect((await app.login(address, NEW)).status).toBe(200);
  });

  test('R06, D: neither token nor code stands in the database in clear', async () => {
    const { address } = await provedUser();
    const token = await tokenFor(address);
    const rows = await app.db.read({
      sql: `SELECT group_concat(coalesce(token_hash, '') || coalesce(code_hash, '') || coalesce(payload_sealed, '')) FROM one_time`,
      params: [],
      map: (r) => r.map((c) => String(c[0])),
      returns: true,
    });
    expect(rows[0]).not.toContain(token);
    expect(rows[0]).toContain('$argon2id$');
  });
});
