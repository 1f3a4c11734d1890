/** What tests of passkeys do again and again. */
import { expect } from 'vitest';
import { assert, create } from '../support/authenticator.ts';
import type { AssertionLies, CreationLies, MadeCredential } from '../support/authenticator.ts';
import { PASSWORD } from '../support/app.ts';
import type { Reply, SignedIn, TestApp } from '../support/app.ts';

type Token = Pick<SignedIn, 'access'>;

/** The options of a new passkey. */
export async function registrationOptions(app: TestApp, { access }: Token): Promise<Reply['body']> {
  const { status, body } = await app.call('POST', '/me/passkeys/options', { token: access });
  expect([status, body.code]).toEqual([200, undefined]);
  return body;
}

/** Adds a passkey by an authenticator that may lie; the answer as it came. */
export async function tryRegister(
  app: TestApp,
  { access }: Token,
  lies: CreationLies = {},
  extra: object = {},
): Promise<{ made: MadeCredential; reply: Reply }> {
  const begun = await registrationOptions(app, { access });
  const { made, credential } = create(begun.options, lies);
  return {
    made,
    reply: await app.call('POST', '/me/passkeys', {
      token: access,
      body: { challenge_id: begun.challenge_id, credential, ...extra },
    }),
  };
}

/** Adds a passkey; its credential and its id at the service. */
export async function addPasskey(
  app: TestApp,
  user: Token,
  lies: CreationLies = {},
  extra: object = {},
): Promise<{ made: MadeCredential; id: string }> {
  const { made, reply } = await tryRegister(app, user, lies, extra);
  expect([reply.status, reply.body.code, reply.body.errors]).toEqual([201, undefined, undefined]);
  return { made, id: reply.body.id };
}

export async function signInOptions(app: TestApp, username?: string): Promise<Reply['body']> {
  const { status, body } = await app.call('POST', '/login/passkey/options', {
    body: username === undefined ? {} : { username },
  });
  expect(status).toBe(200);
  return body;
}

/** Signs in without a name, or with one. */
export async function signIn(
  app: TestApp,
  made: MadeCredential,
  lies: AssertionLies = {},
  username?: string,
): Promise<Reply> {
  const begun = await signInOptions(app, username);
  return app.call('POST', '/login/passkey', {
    body: { challenge_id: begun.challenge_id, credential: assert(made, begun.options, lies) },
  });
}

/** An account with a proved address. */
export async function registerByEmail(
  app: TestApp,
  email: string,
): Promise<{ readonly access: string; readonly userId: string }> {
  const { body } = await app.call('POST', '/register', { body: { email, password: PASSWORD } });
  const code = (await app.emails(email))[0]?.values['code'];
  const made = await app.call('POST', '/register/verify', {
    body: { registration_id: body.registration_id, code },
  });
  expect(made.status).toBe(201);
  return { access: made.body.access_token, userId: made.body.user.id };
}

/**
 * Takes the password of a user away: there is no route for it, but for those who never had one it
 * is so.
 */
export async function forgetPassword(app: TestApp, userId: string): Promise<void> {
  await app.db.write([
    {
      sql: 'DELETE FROM password_credential WHERE user_id = ?',
      params: [userId],
      map: () => [],
      returns: false,
    },
  ]);
}
