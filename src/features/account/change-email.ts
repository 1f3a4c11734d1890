/**
 * The account's address. A new one is pending until the mailbox's code and the account's own
 * session have come together; until then the old one stays in force, and its owner is told. An
 * unproved address reserves nothing and opens nothing (G10).
 */
import type { App } from '../../app/capabilities.ts';
import { NothingChanged, UniqueViolation } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { demandEmail } from '../../core/user/sign-in-name.ts';
import { askedLetter, tell, tellSeldom } from '../../core/email/email.ts';
import {
  ALREADY_SPENT,
  countCodeTry,
  findLatest,
  insertOneTime,
  keepNewest,
  newCode,
  spendOneTime,
  uncountCodeTry,
  voidOneTimes,
} from '../../core/one-time/one-time.ts';
import { MAIL_LIMITED } from '../../core/email/outbox.ts';
import { networkOf } from '../../core/session/requester.ts';
import type { Requester } from '../../core/session/requester.ts';
import { endSessions } from '../../core/session/session.ts';
import type { Principal } from '../../core/session/session.ts';
import { writeAs } from '../../core/session/session-commit.ts';
import { countAttempt, resetThrottle, uncountAttempt } from '../../core/attempt/attempt.ts';
import {
  PENDING_MOVED,
  advanceEpoch,
  findUserById,
  findUserBySignInName,
  lapsePendingEmails,
  proveEmail,
  setPendingEmail,
  takingName,
} from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import type { Statement } from '../../db/database.ts';
import { canonicalEmail } from '../../lib/email-address.ts';

interface Challenge {
  readonly letter: Statement;
  readonly issue: readonly Statement[];
}

/**
 * A new code for an address, and its letter: to the owner of a taken one goes another letter, and
 * nobody gets the code.
 */
async function challenge(
  app: App,
  user: User,
  address: string,
  canonical: string,
  requester: Requester,
  signal: AbortSignal,
): Promise<Challenge> {
  const code = newCode(app.random);
  const codeHash = await app.hasher.hash(code, {
    account: `code:${user.id}`,
    client: networkOf(requester),
    signal,
  });
  const owner = await findUserBySignInName(app.db, { kind: 'email', canonical });
  const isTaken = owner !== null && owner.id !== user.id;
  const now = app.clock.now();
  return {
    letter: askedLetter(
      app,
      {
        letter: isTaken ? 'account_exists' : 'verify_address',
        address,
        values: isTaken ? { link: app.mail.verifyUrl } : { code, link: app.mail.verifyUrl },
        group: 'address',
        isReal: true,
      },
      requester,
    ),
    issue: [
      keepNewest(user.id, 'email_verification', 0, now),
      insertOneTime({
        id: app.newId(),
        purpose: 'email_verification',
        userId: user.id,
        subject: canonical,
        token: null,
        codeHash,
        payloadSealed: null,
        now,
        ttlMs: app.mail.linkTtl,
      }),
    ],
  };
}

/**
 * Notes a new address and sends it a code; the same answer for free and taken ones.
 *
 * @param also what changes in the same commit: both hold, or neither
 * @throws {Refusal} invalid_request, username_taken, session_revoked, overloaded
 */
export async function changeEmail(
  app: App,
  principal: Principal,
  email: string,
  also: readonly Statement[],
  requester: Requester,
  signal: AbortSignal,
): Promise<User> {
  const canonical = demandEmail(email);
  const { user } = principal;
  const now = app.clock.now();
  const isOwn = user.email !== null && canonicalEmail(user.email) === canonical;
  const pending = isOwn
    ? { pendingEmail: null, pendingEmailCanonical: null }
    : { pendingEmail: email, pendingEmailCanonical: canonical };
  const note = setPendingEmail({ id: user.id, ...pending, now });
  if (isOwn) {
    await takingName(() =>
      writeAs(app, principal, [...also, note, keepNewest(user.id, 'email_verification', 0, now)]),
    );
    return stillThere(app, user.id);
  }
  const { letter, issue } = await challenge(app, user, email, canonical, requester, signal);
  const notice = tellSeldom(
    app,
    'address_change_requested',
    user.email,
    { new_address: email },
    requester,
  );
  try {
    await takingName(() => writeAs(app, principal, [...also, note, letter, ...issue, ...notice]));
  } catch (error) {
    // The address has had its share of letters: it is noted, and a code can be asked for later. The
    // old one is told all the same.
    if (!(error instanceof NothingChanged && error.guard === MAIL_LIMITED)) throw error;
    await takingName(() =>
      writeAs(app, principal, [
        ...also,
        note,
        keepNewest(user.id, 'email_verification', 0, now),
        ...notice,
      ]),
    );
  }
  app.wakeCourier();
  app.log.write('info', 'email.change_requested', 'a new address is pending', {
    request_id: requester.requestId,
    'user.id': user.id,
    'session.id': principal.session.id,
  });
  return stillThere(app, user.id);
}

/** The user as the commit left it. @throws {Refusal} session_revoked */
async function stillThere(app: App, userId: string): Promise<User> {
  const user = await findUserById(app.db, userId);
  if (user === null || user.disabledAt !== null) throw new Refusal('session_revoked');
  return user;
}

/**
 * Sends another code to the pending address, within its limits; with none pending, nothing happens.
 */
export async function resendEmailCode(
  app: App,
  principal: Principal,
  requester: Requester,
  signal: AbortSignal,
): Promise<void> {
  const { user } = principal;
  const canonical = user.pendingEmail === null ? null : canonicalEmail(user.pendingEmail);
  if (user.pendingEmail === null || canonical === null) return;
  const { letter, issue } = await challenge(
    app,
    user,
    user.pendingEmail,
    canonical,
    requester,
    signal,
  );
  try {
    await app.db.write([letter, ...issue]);
    app.wakeCourier();
  } catch (error) {
    if (!(error instanceof NothingChanged && error.guard === MAIL_LIMITED)) throw error;
  }
}

/** Codes are counted by the code, and over all codes by the account (G8, L04). */
const codeBucket = (userId: string): string => `code:${userId}`;

/**
 * Proves the pending address by its code. Other claims on it lapse; where it takes the place of an
 * old one, the other sessions end and the old address is told.
 *
 * @throws {Refusal} invalid_code, too_many_attempts, overloaded
 */
export async function verifyEmail(
  app: App,
  principal: Principal,
  code: string,
  requester: Requester,
  signal: AbortSignal,
): Promise<User> {
  const { user, session } = principal;
  const bucket = codeBucket(user.id);
  await countAttempt(app, app.config.throttle, bucket);
  const newest = await findLatest(app, 'email_verification', user.id);
  const tried = newest === null ? null : await countCodeTry(app, 'email_verification', newest.id);
  let ok;
  try {
    ({ ok } = await app.hasher.verify(tried?.codeHash ?? null, code, {
      account: bucket,
      client: networkOf(requester),
      signal,
    }));
  } catch (error) {
    await app.db.write([
      uncountAttempt(app.config.throttle, bucket),
      ...(tried === null ? [] : [uncountCodeTry(tried.id)]),
    ]);
    throw error;
  }
  if (!ok || tried === null || tried.subject === null) throw new Refusal('invalid_code');
  const now = app.clock.now();
  const isChange = user.email !== null;
  try {
    await writeAs(app, principal, [
      spendOneTime(tried.id, now),
      proveEmail({ id: user.id, canonical: tried.subject, now }),
      lapsePendingEmails(tried.subject, user.id),
      resetThrottle(bucket),
      ...(isChange
        ? [
            advanceEpoch(user.id, now),
            voidOneTimes(user.id, now),
            ...endSessions(
              { kind: 'others', userId: user.id, except: session.id },
              'email_changed',
              now,
            ),
            ...tell(app, 'address_changed', user.email, {}, requester),
          ]
        : []),
    ]);
    app.wakeCourier();
    app.log.write('info', 'email.verified', 'an address was proved', {
      request_id: requester.requestId,
      'user.id': user.id,
      'session.id': session.id,
    });
    return await stillThere(app, user.id);
  } catch (error) {
    if (
      error instanceof UniqueViolation ||
      (error instanceof NothingChanged &&
        (error.guard === ALREADY_SPENT || error.guard === PENDING_MOVED))
    ) {
      throw new Refusal('invalid_code', { cause: error });
    }
    throw error;
  }
}
