/**
 * A forgotten password. Asking is answered alike for everybody, by the same work and one commit;
 * the letter goes to a proved address alone. Resetting never signs in and never stands in for a
 * second factor.
 */
import type { App } from '../../app/capabilities.ts';
import { NothingChanged } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { askedLetter, linkTo, tell } from '../../core/email/email.ts';
import {
  ALREADY_SPENT,
  findByToken,
  insertOneTime,
  keepNewest,
  newToken,
  spendOneTime,
  voidOneTimes,
} from '../../core/one-time/one-time.ts';
import { MAIL_LIMITED } from '../../core/email/outbox.ts';
import { networkOf } from '../../core/session/requester.ts';
import type { Requester } from '../../core/session/requester.ts';
import { endSessions, writeEndings } from '../../core/session/session.ts';
import { passwordBucket, resetAllThrottles } from '../../core/attempt/attempt.ts';
import {
  dropPendingAddress,
  findUserById,
  findUserBySignInName,
  notePasswordSet,
} from '../../core/user/user.ts';
import { acceptablePassword, contextOf, demandNewPassword } from '../password/operations.ts';
import { findPassword, rememberPassword, setPassword } from '../../core/password/credential.ts';

/** Reset links that may be alive at once. */
const MAX_LIVE = 3;

/** Sends a reset letter, if the name is somebody's with a proved address; says nothing of it. */
export async function forgotPassword(app: App, name: string, requester: Requester): Promise<void> {
  const user = await findUserBySignInName(app.db, parseSignInName(name));
  const address = user === null || user.disabledAt !== null ? null : user.email;
  const token = newToken(app.random);
  const now = app.clock.now();
  const userId = address === null || user === null ? null : user.id;
  const letter = askedLetter(
    app,
    {
      letter: 'reset_password',
      address: address ?? name,
      values: { link: linkTo(app.mail.resetUrl, token), token },
      group: 'reset',
      isReal: address !== null,
    },
    requester,
  );
  const reset = {
    id: app.newId(),
    purpose: 'password_reset',
    subject: null,
    codeHash: null,
    payloadSealed: null,
    now,
    ttlMs: app.mail.linkTtl,
  } as const;
  const decoy = insertOneTime({ ...reset, userId: null, token: null });
  try {
    const kept = userId === null ? decoy : insertOneTime({ ...reset, userId, token });
    await app.db.write([letter, kept, keepNewest(userId ?? '', 'password_reset', MAX_LIVE, now)]);
  } catch (error) {
    if (!(error instanceof NothingChanged && error.guard === MAIL_LIMITED)) throw error;
    // A commit all the same: a limit met sooner than others would say that a username and an
    // address are one account (E03).
    await app.db.write([decoy]);
  }
  app.wakeCourier();
  app.log.write('info', 'password.reset_requested', 'a password reset was asked for', {
    request_id: requester.requestId,
    'client.address': requester.ip,
  });
}

/** @throws {Refusal} token_spent_or_expired */
export async function checkReset(app: App, token: string): Promise<void> {
  const reset = await findByToken(app, 'password_reset', token);
  if (reset?.userId === undefined || reset.userId === null)
    throw new Refusal('token_spent_or_expired');
}

/**
 * Sets a new password by a reset link. Every session ends, and so does everything else that was out
 * for the user.
 *
 * @throws {Refusal} token_spent_or_expired, invalid_request (the link stays good), overloaded
 */
export async function resetPassword(
  app: App,
  token: string,
  newPassword: string,
  requester: Requester,
  signal: AbortSignal,
): Promise<void> {
  const reset = await findByToken(app, 'password_reset', token);
  const user =
    reset?.userId === undefined || reset.userId === null
      ? null
      : await findUserById(app.db, reset.userId);
  if (reset === null || user === null || user.disabledAt !== null)
    throw new Refusal('token_spent_or_expired');
  const password = await acceptablePassword(app, newPassword, contextOf(app, user), '/password');
  const by = { account: passwordBucket(user.id), client: networkOf(requester), signal };
  const present = await findPassword(app.db, user.id);
  await demandNewPassword(app, user.id, present?.passwordHash ?? null, password, '/password', by);
  const passwordHash = await app.hasher.hash(password, by);
  const now = app.clock.now();
  try {
    await writeEndings(app, [
      spendOneTime(reset.id, now),
      ...rememberPassword(user.id, app.config.password.history, now),
      setPassword({ userId: user.id, passwordHash, now }),
      notePasswordSet(user.id, now),
      voidOneTimes(user.id, now),
      ...dropPendingAddress(user, now),
      resetAllThrottles(passwordBucket(user.id)),
      ...endSessions({ kind: 'all', userId: user.id }, 'password_changed', now),
      ...tell(app, 'password_changed', user.email, {}, requester),
    ]);
  } catch (error) {
    if (error instanceof NothingChanged && error.guard === ALREADY_SPENT)
      throw new Refusal('token_spent_or_expired', { cause: error });
    throw error;
  }
  app.wakeCourier();
  app.log.write('info', 'password.reset', 'a password was reset', {
    request_id: requester.requestId,
    'user.id': user.id,
    'client.address': requester.ip,
  });
}
