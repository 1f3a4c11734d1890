/** Users with a second factor, and the codes of their app. */
import { generateSync } from 'otplib';
import { expect } from 'vitest';
import type { Reply, SignedIn, TestApp } from './app.ts';

export interface Enrolled extends SignedIn {
  readonly secret: string;
  readonly recoveryCodes: readonly string[];
  /** The code of the present step, or of one that many steps away. */
  code(steps?: number): string;
}

export function codeAt(secret: string, milliseconds: number): string {
  return generateSync({ secret, epoch: Math.floor(milliseconds / 1000) });
}

/** A code that isn't one of these. */
export function wrongCode(...right: readonly string[]): string {
  for (let i = 0; ; i++) {
    const code = String(i).padStart(6, '0');
    if (!right.includes(code)) return code;
  }
}

/**
 * Registers a user and gives it an authenticator app; the clock then stands in a step of which no
 * code was used.
 */
export async function enrol(app: TestApp, username?: string): Promise<Enrolled> {
  const user = await app.register(username);
  return { ...user, ...(await enrolIn(app, user.access)) };
}

export async function enrolIn(
  app: TestApp,
  access: string,
): Promise<Pick<Enrolled, 'secret' | 'recoveryCodes' | 'code'>> {
  const begun = await app.call('POST', '/me/totp', { token: access });
  expect(begun.status).toBe(201);
  const { secret } = begun.body;
  const code = (steps = 0): string => codeAt(secret, app.clock.now() + steps * 30_000);
  const confirmed = await app.call('POST', '/me/totp/confirm', {
    token: access,
    body: { code: code() },
  });
  expect(confirmed.status).toBe(200);
  app.clock.advance(60_000);
  return { secret, recoveryCodes: confirmed.body.recovery_codes, code };
}

/** A right password, and the challenge that follows. */
export async function challenge(
  app: TestApp,
  username: string,
  extra: object = {},
): Promise<string> {
  const reply = await app.login(username, undefined, extra);
  expect(reply.body).toMatchObject({ status: 'mfa_required' });
  return reply.body.challenge_token;
}

export function answer(app: TestApp, challengeToken: string, shown: object): Promise<Reply> {
  return app.call('POST', '/login/mfa', { body: { challenge_token: challengeToken, ...shown } });
}

/** The claims of an access token, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}
