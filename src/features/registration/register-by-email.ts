/**
 * Making an account out of an address alone. No account exists until the mailbox is proved by the
 * one who registered: the code goes to the mailbox, `registration_id` stays with the front-end, and
 * the link works only with the password that was chosen, so that a victim who clicks an attacker's
 * link makes no account with the attacker's password. Free and taken addresses are answered alike,
 * by the same work; the owner of a taken one is told.
 */
import { createHmac } from 'node:crypto';
import type { App } from '../../app/capabilities.ts';
import { NothingChanged, UniqueViolation } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { completeFactor } from '../../core/factor/authentication.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import { demandEmail } from '../../core/user/sign-in-name.ts';
import { askedLetter, linkTo } from '../../core/email/email.ts';
import {
  ALREADY_SPENT,
  CODE_TTL_MS,
  countCodeTry,
  findByToken,
  findOneTime,
  insertOneTime,
  newCode,
  newToken,
  replaceSecrets,
  spendOneTime,
  uncountCodeTry,
} from '../../core/one-time/one-time.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import { MAIL_LIMITED } from '../../core/email/outbox.ts';
import { networkOf } from '../../core/session/requester.ts';
import type { Requester } from '../../core/session/requester.ts';
import { countAttempt, resetThrottle, uncountAttempt } from '../../core/attempt/attempt.ts';
import { findUserBySignInName, insertUser, lapsePendingEmails } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { randomToken } from '../../crypto/secret.ts';
import { isJsonObject } from '../../lib/json.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { FACTOR, acceptablePassword, contextOf } from '../password/operations.ts';
import { normalizePassword } from '../../core/password/policy.ts';
import { insertPassword } from '../../core/password/credential.ts';

export interface EmailRegistration {
  readonly email: string;
  readonly password: string;
  readonly displayName: string | undefined;
  readonly userMetadata: Record<string, unknown> | undefined;
}

export interface PendingRegistration {
  readonly registrationId: string;
  readonly expiresInSeconds: number;
}

const sealPurpose = (id: string): string => `one_time.payload_sealed:${id}`;

/** @throws {Refusal} invalid_request, overloaded */
export async function registerByEmail(
  app: App,
  input: EmailRegistration,
  requester: Requester,
  signal: AbortSignal,
): Promise<PendingRegistration> {
  const canonical = demandEmail(input.email);
  const about = {
    username: null,
    email: null,
    pendingEmail: input.email,
    displayName: input.displayName ?? null,
  };
  const password = await acceptablePassword(
    app,
    input.password,
    contextOf(app, about),
    '/password',
  );
  const by = { account: `register:${networkOf(requester)}`, client: networkOf(requester), signal };
  const code = newCode(app.random);
  const token = newToken(app.random);
  const passwordHash = await app.hasher.hash(password, by);
  const codeHash = await app.hasher.hash(code, by);
  const isTaken = (await findUserBySignInName(app.db, { kind: 'email', canonical })) !== null;
  const registrationId = randomToken(app.random, 24);
  const payload = {
    email: input.email,
    passwordHash,
    displayName: input.displayName ?? null,
    userMetadata: input.userMetadata ?? {},
  };
  const pending = {
    id: registrationId,
    purpose: 'registration',
    userId: null,
    subject: canonical,
    payloadSealed: app.sealer.seal(
      sealPurpose(registrationId),
      Buffer.from(JSON.stringify(payload)),
    ),
    now: app.clock.now(),
    ttlMs: app.mail.linkTtl,
  } as const;
  const letter = askedLetter(
    app,
    {
      letter: isTaken ? 'account_exists' : 'verify_registration',
      address: input.email,
      values: isTaken
        ? { link: app.mail.verifyUrl }
        : { code, link: linkTo(app.mail.verifyUrl, token) },
      group: 'registration',
      isReal: true,
    },
    requester,
  );
  try {
    await app.db.write([letter, insertOneTime({ ...pending, token, codeHash })]);
  } catch (error) {
    // The address has had its share of letters; the registration stands, and its letter can be
    // asked for later. A code that was not sent is nobody's to enter: it would only be one more to
    // guess (O06).
    if (!(error instanceof NothingChanged && error.guard === MAIL_LIMITED)) throw error;
    await app.db.write([insertOneTime({ ...pending, token: null, codeHash: null })]);
  }
  app.wakeCourier();
  app.log.write('info', 'registration.begun', 'an address is to be proved', {
    request_id: requester.requestId,
    'client.address': requester.ip,
  });
  return { registrationId, expiresInSeconds: CODE_TTL_MS / 1000 };
}

/** Sends another code to the same mailbox, within its limits. Wrong tries stay counted. */
export async function resendRegistration(
  app: App,
  registrationId: string,
  requester: Requester,
  signal: AbortSignal,
): Promise<void> {
  const code = newCode(app.random);
  const token = newToken(app.random);
  const codeHash = await app.hasher.hash(code, {
    account: `register:${networkOf(requester)}`,
    client: networkOf(requester),
    signal,
  });
  const pending = await findOneTime(app, 'registration', registrationId);
  if (pending === null) return;
  const { email } = payloadOf(app, pending);
  const isTaken =
    (await findUserBySignInName(app.db, { kind: 'email', canonical: pending.subject ?? '' })) !==
    null;
  const letter = askedLetter(
    app,
    {
      letter: isTaken ? 'account_exists' : 'verify_registration',
      address: email,
      values: isTaken
        ? { link: app.mail.verifyUrl }
        : { code, link: linkTo(app.mail.verifyUrl, token) },
      group: 'registration',
      isReal: true,
    },
    requester,
  );
  try {
    await app.db.write([
      letter,
      replaceSecrets({ id: registrationId, token, codeHash, now: app.clock.now() }),
    ]);
    app.wakeCourier();
  } catch (error) {
    if (!(error instanceof NothingChanged)) throw error;
  }
}

export type RegistrationProof =
  | { readonly registrationId: string; readonly code: string }
  | { readonly token: string; readonly password: string };

/**
 * Makes the account of a registration whose mailbox is proved, and signs it in: all in one commit.
 *
 * @throws {Refusal} invalid_code, token_spent_or_expired, invalid_credentials, too_many_attempts,
 *   overloaded
 */
export async function verifyRegistration(
  app: App,
  proof: RegistrationProof,
  requester: Requester,
  signal: AbortSignal,
): Promise<{ user: User; authentication: Authentication }> {
  const { pending, bucket } =
    'code' in proof
      ? await byCode(app, proof.registrationId, proof.code, requester, signal)
      : await byLink(app, proof.token, proof.password, requester, signal);
  const { email, passwordHash, displayName, userMetadata } = payloadOf(app, pending);
  const canonical = canonicalEmail(email);
  if (canonical === null || canonical !== pending.subject)
    throw new Error('a registration of another address');
  const now = app.clock.now();
  const user: User = {
    id: app.newId(),
    username: null,
    email,
    pendingEmail: null,
    displayName,
    userMetadata,
    claims: {},
    epoch: 0,
    disabledAt: null,
    passwordChangeRequiredAt: null,
    mfaDueAt: null,
    createdAt: now,
    updatedAt: now,
  };
  const effects = [
    spendOneTime(pending.id, now),
    insertUser({
      ...user,
      usernameCanonical: null,
      emailCanonical: canonical,
      pendingEmailCanonical: null,
      now,
    }),
    insertPassword({ userId: user.id, passwordHash, now }),
    lapsePendingEmails(canonical, user.id),
    ...(bucket === null ? [] : [resetThrottle(bucket)]),
  ];
  try {
    const authentication = await completeFactor(app, { ...FACTOR, user, effects }, requester);
    app.log.write('info', 'user.registered', 'an account was made', {
      request_id: requester.requestId,
      'user.id': user.id,
      'client.address': requester.ip,
    });
    return { user, authentication };
  } catch (error) {
    // Spent by another request, or the address was proved by somebody else first.
    if (
      error instanceof UniqueViolation ||
      (error instanceof NothingChanged && error.guard === ALREADY_SPENT)
    ) {
      throw new Refusal('code' in proof ? 'invalid_code' : 'token_spent_or_expired', {
        cause: error,
      });
    }
    throw error;
  }
}

interface Proved {
  readonly pending: OneTime;
  readonly bucket: string | null;
}

/**
 * Codes are counted over all registrations of an address, for anybody can begin any number of them
 * (O06).
 */
function addressBucket(app: App, canonical: string): string {
  return `registration:@${createHmac('sha256', app.keys.derivedKey).update(`postern registering address\n${canonical}`).digest('base64url')}`;
}

async function byCode(
  app: App,
  registrationId: string,
  code: string,
  requester: Requester,
  signal: AbortSignal,
): Promise<Proved> {
  const pending = await countCodeTry(app, 'registration', registrationId);
  const bucket = pending === null ? null : addressBucket(app, pending.subject ?? '');
  // It makes others wait and shuts nobody out for good; and the link, which needs the password too,
  // is not held up by it.
  if (bucket !== null)
    await countAttempt(
      app,
      { ...app.config.throttle, max_failures: Number.MAX_SAFE_INTEGER },
      bucket,
    );
  let result;
  try {
    result = await app.hasher.verify(pending?.codeHash ?? null, code, {
      account: `code:${registrationId}`,
      client: networkOf(requester),
      signal,
    });
  } catch (error) {
    if (bucket !== null)
      await app.db.write([
        uncountAttempt(app.config.throttle, bucket),
        uncountCodeTry(registrationId),
      ]);
    throw error;
  }
  if (!result.ok || pending === null) throw new Refusal('invalid_code');
  return { pending, bucket };
}

async function byLink(
  app: App,
  token: string,
  password: string,
  requester: Requester,
  signal: AbortSignal,
): Promise<Proved> {
  const pending = await findByToken(app, 'registration', token);
  if (pending === null) throw new Refusal('token_spent_or_expired');
  const bucket = `registration:${pending.id}`;
  await countAttempt(app, app.config.throttle, bucket);
  const normalized = normalizePassword(password);
  let result;
  try {
    result = await app.hasher.verify(
      normalized === null ? null : payloadOf(app, pending).passwordHash,
      normalized ?? 'not a password',
      { account: bucket, client: networkOf(requester), signal },
    );
  } catch (error) {
    // Too busy: nobody looked at it.
    await app.db.write([uncountAttempt(app.config.throttle, bucket)]);
    throw error;
  }
  if (!result.ok) throw new Refusal('invalid_credentials');
  return { pending, bucket };
}

interface Payload {
  readonly email: string;
  readonly passwordHash: string;
  readonly displayName: string | null;
  readonly userMetadata: Record<string, unknown>;
}

function payloadOf(app: App, { id, payloadSealed }: OneTime): Payload {
  const value: unknown =
    payloadSealed === null
      ? null
      : JSON.parse(app.sealer.open(sealPurpose(id), payloadSealed).toString('utf8'));
  if (!isJsonObject(value)) throw new Error('a registration without its content');
  const { email, passwordHash, displayName, userMetadata } = value;
  if (typeof email !== 'string' || typeof passwordHash !== 'string')
    throw new Error('a registration without its content');
  return {
    email,
    passwordHash,
    displayName: typeof displayName === 'string' ? displayName : null,
    userMetadata: isJsonObject(userMetadata) ? userMetadata : {},
  };
}
