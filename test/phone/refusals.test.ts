/** What /me/phone refuses with besides what is wrong with a number or a code. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { changedWhileReading } from '../support/meanwhile.ts';
import { wrongCode } from '../support/mfa.ts';
import {
  SMS,
  codeOf,
  newNetwork,
  newNumber,
  outcome,
  owner,
  setPhone,
  verifyPhone,
} from './rig.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config: `${SMS}max_unverified = 1000\n[throttle]\nattempts = 1\nmax_failures = 1\n`,
  });
});
afterAll(() => app.stop());

/** A user with a code for a number. */
async function asked() {
  const user = await app.register();
  const phone = newNumber();
  const { body } = await setPhone(app, user.access, phone);
  const code = codeOf(await app.texts(phone));
  return { ...user, otpId: String(body.otp_id), code };
}

test('requests of one network beyond limits.emails: 429', async () => {
  const own = await createTestApp({
    config: `${SMS}max_unverified = 1000\n[limits]\nemails = "1/1h"\n`,
  });
  const { access } = await own.register();
  const network = newNetwork();
  expect((await setPhone(own, access, newNumber(), network)).status).toBe(202);
  expect(outcome(await setPhone(own, access, newNumber(), network))).toEqual([429, 'rate_limited']);
  await own.stop();
});

test('the budget of all messages is used up: 503', async () => {
  const own = await createTestApp({
    config: `${SMS}max_unverified = 1000\n[mail]\nmax_requested = 10\n`,
  });
  const { access } = await own.register();
  const outcomes: unknown[] = [];
  for (let at = 0; at < 11; at++) outcomes.push(outcome(await setPhone(own, access, newNumber())));
  expect(outcomes.at(-1)).toEqual([503, 'overloaded']);
  await own.stop();
});

test('more wrong codes than the account has: 429, and the right one waits too', async () => {
  const { access, otpId, code } = await asked();
  expect((await verifyPhone(app, access, otpId, wrongCode(code))).status).toBe(422);
  expect(outcome(await verifyPhone(app, access, otpId, code))).toEqual([429, 'too_many_attempts']);
});

test('while the hash queue is full: 503, and the code is still good', async () => {
  const { access, otpId, code } = await asked();
  const verify = () => verifyPhone(app, access, otpId, code);
  expect(outcome(await app.whileHashQueueIsFull(verify))).toEqual([503, 'overloaded']);
  expect((await verify()).status).toBe(200);
});

test('verifying, while the credentials change: 409', async () => {
  const { userId, access, otpId, code } = await asked();
  const reply = await changedWhileReading(app, { userId, table: 'user' }, () =>
    verifyPhone(app, access, otpId, code),
  );
  expect(outcome(reply)).toEqual([409, 'conflict']);
});

test('removing, while the credentials change: 409, and it stays', async () => {
  const { id: userId, phone, access } = await owner(app);
  const reply = await changedWhileReading(app, { userId, table: 'totp' }, () =>
    app.call('DELETE', '/me/phone', { token: access }),
  );
  expect(outcome(reply)).toEqual([409, 'conflict']);
  expect((await app.call('GET', '/me', { token: access })).body.phone).toBe(phone);
});
