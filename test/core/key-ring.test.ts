import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

const DAY = 86_400_000;
const MINUTE = 60_000;

describe('signing keys by schedule', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.stop());
  const kids = async (): Promise<string[]> =>
    (await app.call('GET', '/.well-known/jwks.json')).body.keys.map(
      (key: { kid: string }) => key.kid,
    );

  test('the next key is published a day ahead, signs when its time has come, and the old one goes when its last token has expired', async () => {
    const [first] = await kids();
    app.clock.advance(88 * DAY);
    await app.kernel.signingKeys.ensureNext();
    expect(await kids()).toEqual([first]);
    app.clock.advance(1 * DAY + MINUTE);
    await app.kernel.signingKeys.ensureNext();
    await app.kernel.signingKeys.ensureNext();
    const both = await kids();
    expect(both).toHaveLength(2);
    expect(both[0]).toBe(first);
    const before = await app.register();
    expect(
      JSON.parse(Buffer.from(before.access.split('.')[0] ?? '', 'base64url').toString()).kid,
    ).toBe(first);
    app.clock.advance(1 * DAY);
    const after = await app.register();
    expect(
      JSON.parse(Buffer.from(after.access.split('.')[0] ?? '', 'base64url').toString()).kid,
    ).toBe(both[1]);
    expect((await kids())[0]).toBe(both[1]);
    app.clock.advance(17 * MINUTE);
    expect(await kids()).toEqual([both[1]]);
  });

  test('of two instances that make the next key at once, one does', async () => {
    const own = await createTestApp();
    const other = await createTestApp({ directory: own.directory, clock: own.clock });
    own.clock.advance(89 * DAY + MINUTE);
    await Promise.all([
      own.kernel.signingKeys.ensureNext(),
      other.kernel.signingKeys.ensureNext(),
      own.kernel.signingKeys.ensureNext(),
    ]);
    expect(
      own.kernel.signingKeys.list().filter(({ purpose }) => purpose === 'access'),
    ).toHaveLength(2);
    expect(other.kernel.signingKeys.list()).toEqual(own.kernel.signingKeys.list());
    await other.stop();
    await own.stop();
  });

  test('a key that one instance makes is picked up by the other', async () => {
    const own = await createTestApp();
    const other = await createTestApp({ directory: own.directory, clock: own.clock });
    await own.kernel.signingKeys.rotate('access', 0);
    const user = await own.register();
    await expect
      .poll(async () => (await other.call('GET', '/verify', { token: user.access })).status)
      .toBe(204);
    await other.stop();
    await own.stop();
  });

  test('a new algorithm in the configuration signs at once, and tokens of the old one live out their time', async () => {
    const own = await createTestApp();
    const user = await own.register();
    const eddsa = await createTestApp({
      directory: own.directory,
      clock: own.clock,
      config: '[tokens]\nalgorithm = "EdDSA"\n',
    });
    const fresh = await eddsa.login(user.username);
    expect(
      JSON.parse(Buffer.from(fresh.body.access_token.split('.')[0], 'base64url').toString()).alg,
    ).toBe('EdDSA');
    expect((await eddsa.call('GET', '/verify', { token: user.access })).status).toBe(204);
    expect((await eddsa.call('GET', '/verify', { token: fresh.body.access_token })).status).toBe(
      204,
    );
    await eddsa.stop();
    await own.stop();
  });

  test('refresh tokens outlive a rotation of the internal key, and die with its withdrawal', async () => {
    const own = await createTestApp();
    const user = await own.register();
    own.clock.advance(1_000);
    await own.kernel.signingKeys.rotate('internal', 0);
    const next = await own.call('POST', '/refresh', { body: { refresh_token: user.refresh } });
    expect(next.status).toBe(200);
    // The lost answer comes out the same, letter for letter, though the key is another now.
    own.clock.advance(1_000);
    await own.kernel.signingKeys.rotate('internal', 0);
    expect(
      (await own.call('POST', '/refresh', { body: { refresh_token: user.refresh } })).body
        .refresh_token,
    ).toBe(next.body.refresh_token);
    own.clock.advance(1_000);
    await own.kernel.signingKeys.rotate('internal', 0, { withdraw: true });
    expect(
      (await own.call('POST', '/refresh', { body: { refresh_token: next.body.refresh_token } }))
        .body.code,
    ).toBe('invalid_token');
    await own.stop();
  });
});

test('internal keys rotate by schedule; a device token outlives that, and dies with its key', async () => {
  const own = await createTestApp({ config: '[throttle]\nattempts = 10\n' });
  const user = await own.register();
  const { body } = await own.login(user.username);
  const { signingKeys, deviceTokens } = own.kernel;
  const subject = {
    id: JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString()).sub,
    epoch: 0,
  };
  const device = deviceTokens.deviceOf(body.device_token, subject);
  expect(device).not.toBeNull();
  const before = signingKeys.list().filter(({ purpose }) => purpose === 'internal').length;
  own.clock.advance(90 * 24 * 60 * MINUTE);
  await signingKeys.ensureNext();
  const internal = signingKeys.list().filter(({ purpose }) => purpose === 'internal');
  expect(internal.length).toBe(before + 1);
  await signingKeys.ensureNext();
  expect(signingKeys.list().filter(({ purpose }) => purpose === 'internal')).toHaveLength(
    before + 1,
  );
  own.clock.advance(24 * 60 * MINUTE + 1_000);
  expect(internal.map(({ state }) => state)).toContain('next');
  expect(deviceTokens.deviceOf(body.device_token, subject)).toBe(device);
  const later = deviceTokens.mint(subject);
  await signingKeys.rotate('internal', 0, { withdraw: true });
  expect(deviceTokens.deviceOf(body.device_token, subject)).toBeNull();
  expect(deviceTokens.deviceOf(later, subject)).toBeNull();
  expect(deviceTokens.deviceOf(deviceTokens.mint(subject), subject)).not.toBeNull();
  await own.stop();
});

test('ASVS 7.3.2: no access token outlives the absolute end of its session', async () => {
  const own = await createTestApp({ config: '[sessions]\nrefresh_ttl = "1h"\nidle_ttl = "1h"\n' });
  const user = await own.register();
  own.clock.advance(55 * MINUTE);
  const { body } = await own.call('POST', '/refresh', { body: { refresh_token: user.refresh } });
  expect(body.expires_in).toBeLessThanOrEqual(300);
  own.clock.advance(5 * MINUTE + 1_000);
  expect((await own.call('GET', '/verify', { token: body.access_token })).status).toBe(401);
  await own.stop();
});

test('of two password changes at once with the same old password, one holds', async () => {
  const own = await createTestApp();
  const user = await own.register();
  const second = await own.login(user.username);
  const change = (token: string, password: string) =>
    own.call('POST', '/me/password', {
      token,
      body: { current_password: 'correct horse battery staple', new_password: password },
    });
  const [a, b] = await Promise.all([
    change(user.access, 'the first new passphrase'),
    change(second.body.access_token, 'the second new passphrase'),
  ]);
  const codes = [a, b].map(({ status, body }) => (status === 204 ? 204 : body.code)).sort();
  expect(codes[0]).toBe(204);
  expect(['conflict', 'invalid_credentials', 'session_revoked']).toContain(codes[1]);
  const winner = a.status === 204 ? 'the first new passphrase' : 'the second new passphrase';
  const loser = a.status === 204 ? 'the second new passphrase' : 'the first new passphrase';
  expect((await own.login(user.username, winner)).status).toBe(200);
  expect((await own.login(user.username, loser)).status).toBe(401);
  await own.stop();
});
