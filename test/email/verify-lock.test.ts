/** An account whose email codes were guessed until the counter locked can verify again. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp, operator, tidy } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';
import { wrongCode } from '../support/mfa.ts';

const HOUR = 3_600_000;

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config: '[throttle]\nattempts = 8\nmax_failures = 8\nwindow = "15m"\n',
  });
});
afterAll(() => app.stop());

let users = 0;

/** A user whose counter of email codes has reached `throttle.max_failures`. */
async function locked(): Promise<SignedIn & { readonly address: string }> {
  const address = `locked${++users}@example.com`;
  const user = await app.register();
  await app.call('PATCH', '/me', { token: user.access, body: { email: address } });
  for (let failures = 0; failures < 8; failures++) {
    expect((await verify(user, wrongCode())).body.code).toBe('invalid_code');
  }
  app.clock.advance(2 * HOUR);
  expect((await verify(await signedIn(user), '000000')).body.code).toBe('too_many_attempts');
  return { ...user, address };
}

const verify = ({ access }: Pick<SignedIn, 'access'>, code: string): Promise<Reply> =>
  app.call('POST', '/email/verify', { token: access, body: { code } });

async function signedIn({ username }: SignedIn): Promise<{ readonly access: string }> {
  return { access: (await app.login(username)).body.access_token };
}

/** Asks for a new code and enters it. */
async function verifiesAgain(user: SignedIn & { readonly address: string }): Promise<void> {
  const { access } = await signedIn(user);
  await app.emails(user.address);
  await app.call('PATCH', '/me', { token: access, body: { email: user.address } });
  await app.call('POST', '/email/verify/resend', { token: access });
  const code = (await app.emails(user.address)).at(-1)?.values['code'] ?? '';
  expect((await verify({ access }, code)).body).toMatchObject({ email_verified: true });
}

describe('after throttle.max_failures wrong email codes', () => {
  test('postern user unlock opens the counter', async () => {
    const user = await locked();
    await app.kernel.accountState.unlock(operator, user.userId);
    await verifiesAgain(user);
  });

  test('postern user disable and enable do', async () => {
    const user = await locked();
    await app.kernel.accountState.disable(operator, user.userId);
    await app.kernel.accountState.enable(operator, user.userId);
    await verifiesAgain(user);
  });

  test('housekeeping does, a day after the last attempt', async () => {
    const user = await locked();
    app.clock.advance(25 * HOUR);
    await tidy(app);
    await verifiesAgain(user);
  });
});
