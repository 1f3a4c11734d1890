/**
 * A factor that core and http know nothing of: its folder (test/features/badge), one entry in the
 * list of features and one migration put it everywhere that a factor belongs.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Feature } from '../../src/features/feature.ts';
import { features } from '../../src/features/index.ts';
import { findUserById } from '../../src/core/user/user.ts';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { SignedIn, TestApp } from '../support/app.ts';
import { answer, challenge, claimsOf, enrolIn } from '../support/mfa.ts';
import { badge } from './badge/index.ts';
import { MIGRATION } from './badge/tables.ts';

const NUMBER = 'B-4711';

let app: TestApp;
let user: SignedIn;
beforeAll(async () => {
  app = await createTestApp({ features: [...features, badge] });
  await app.db.write([{ sql: MIGRATION, params: [], map: () => [], returns: false }]);
  user = await app.register();
  const body = { number: NUMBER };
  expect((await app.call('POST', '/me/badge', { token: user.access, body })).status).toBe(204);
});
afterAll(() => app.stop());

describe('a new factor', () => {
  test('is asked for at sign-in and finishes it at aal2', async () => {
    const first = await app.login(user.username);
    expect(first.body).toMatchObject({ status: 'mfa_required', factors: ['badge'] });
    const wrong = await answer(app, first.body.challenge_token, { badge: 'B-0815' });
    expect([wrong.status, wrong.body.code]).toEqual([401, 'invalid_credentials']);
    const { status, body } = await answer(app, first.body.challenge_token, { badge: NUMBER });
    expect(status).toBe(200);
    expect(claimsOf(body.access_token)).toMatchObject({ amr: ['pwd', 'hwk', 'mfa'], acr: 'aal2' });
  });

  test('is a member of /me/factors beside the others', async () => {
    const { body } = await app.call('GET', '/me/factors', { token: user.access });
    expect(body).toMatchObject({ badge: true, totp: null, passkeys: [] });
  });

  test('renews a session at /reauthenticate, where the password alone does not', async () => {
    const again = (body: object) =>
      app.call('POST', '/reauthenticate', { token: user.access, body });
    expect((await again({ password: PASSWORD })).body).toMatchObject({
      code: 'insufficient_user_authentication',
      factors: ['badge'],
    });
    expect((await again({ badge: NUMBER })).status).toBe(200);
  });

  test('is in /openapi.json, at each route that takes factors', async () => {
    const { body } = await app.call('GET', '/openapi.json');
    const text = JSON.stringify(body.paths);
    expect(text.match(/The number on the badge\./g)).toHaveLength(2);
    expect(JSON.stringify(body.components.schemas.Factors)).toContain('"badge"');
  });

  test('counts guesses like any other', async () => {
    const other = await app.register();
    await app.call('POST', '/me/badge', { token: other.access, body: { number: NUMBER } });
    const codes = new Set<string>();
    for (let round = 0; round < 4; round++) {
      const pending = await challenge(app, other.username);
      for (let tries = 0; tries < 5; tries++) {
        codes.add((await answer(app, pending, { badge: 'wrong' })).body.code);
      }
    }
    expect(codes).toContain('too_many_attempts');
  });

  test('an operator removes it with the others', async () => {
    const other = await app.register();
    await app.call('POST', '/me/badge', { token: other.access, body: { number: NUMBER } });
    await enrolIn(
      app,
      (await app.login(other.username, PASSWORD)).body.access_token ?? other.access,
    );
    const found = await findUserById(app.db, other.userId);
    if (found === null) throw new Error('gone');
    await app.kernel.factors.removeAll(operator, found);
    expect((await app.login(other.username)).body.status).toBe('authenticated');
  });
});

describe('config check', () => {
  const none = '[mfa]\nrequired = "all"\n[totp]\nenabled = false\n[passkeys]\nenabled = false\n';

  test('mfa.required = "all" without any second factor is refused, and names every remedy', async () => {
    await expect(createTestApp({ config: none })).rejects.toThrow(
      'config.toml:2:12  mfa.required is all, but users can enrol no second factor: each is off, or browsers could not use it at server.public_url. Write totp.enabled = true, or passkeys.enabled = true with a passkeys.rp_id that browsers accept.',
    );
  });

  test('passkeys that no browser could use are no second factor', async () => {
    await expect(
      createTestApp({
        config: '[mfa]\nrequired = "all"\n[totp]\nenabled = false\n',
        env: { POSTERN_SERVER_PUBLIC_URL: 'https://192.0.2.7' },
      }),
    ).rejects.toThrow('users can enrol no second factor');
  });

  test('the new factor is one, and its remedy is named where it is not usable', async () => {
    const own = await createTestApp({ config: none, features: [...features, badge] });
    await own.stop();
    const unusable = { ...badge, secondFactor: { isUsable: () => false, remedy: 'badge = true' } };
    await expect(
      createTestApp({ config: none, features: [...features, unusable] }),
    ).rejects.toThrow('or badge = true.');
  });
});

describe('a feature whose factor can not work as declared does not start', () => {
  const started = (feature: Feature) => createTestApp({ features: [...features, feature] });

  test('a factor that demands a second one, but is unknown to config check', async () => {
    const { secondFactor: _, ...undeclared } = badge;
    await expect(started(undeclared)).rejects.toThrow(
      'feature badge: a factor that demands a second needs secondFactor',
    );
  });

  test('a factor that is switched off without its records, which an operator has to remove', async () => {
    await expect(started({ ...badge, create: () => ({}) })).rejects.toThrow(
      'feature badge: switched off, it must return switchedOffFactor',
    );
  });
});

test('recovery codes are created after every factor that they can replace: they ask which there are', () => {
  const names = features.map(({ name }) => name);
  const last = features.findLastIndex(({ secondFactor }) => secondFactor !== undefined);
  expect(names.indexOf('recovery-code')).toBeGreaterThan(last);
});
