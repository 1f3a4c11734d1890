/**
 * Signing in with a password, changing it, showing it again. Whatever is wrong (name, password, no
 * password at all), the same work is done and the same answer given (G5, E01).
 */
import { createHmac } from 'node:crypto';
import type { App } from '../../app/capabilities.ts';
import type { HashContext } from '../../crypto/password-hash.ts';
import { NothingChanged } from '../../db/database.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import type { InputFault } from '../../refusal.ts';
import { completeFactors } from '../../core/factor/authentication.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import { deviceOf } from '../../core/token/device-token.ts';
import type { VerifiedFactor } from '../../core/factor/factor.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { tell } from '../../core/email/email.ts';
import { voidOneTimes } from '../../core/one-time/one-time.ts';
import { networkOf } from '../../core/session/requester.ts';
import type { Requester } from '../../core/session/requester.ts';
import { endSessions } from '../../core/session/session.ts';
import { writeAs } from '../../core/session/session-commit.ts';
import type { Principal } from '../../core/session/session.ts';
import {
  countAttempt,
  passwordBucket,
  resetThrottle,
  uncountAttempt,
} from '../../core/attempt/attempt.ts';
import { dropPendingAddress, findUserBySignInName, notePasswordSet } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { normalizePassword, passwordFaults } from '../../core/password/policy.ts';
import type { PasswordContext, PasswordPolicy } from '../../core/password/policy.ts';
import {
  PASSWORD_MOVED,
  changePassword as changeStatement,
  findPassword,
  listFormerPasswords,
  rememberPassword,
  upgradePassword,
} from '../../core/password/credential.ts';

export const FACTOR = { factor: 'password', kind: 'knowledge', amr: ['pwd'] } as const;

/**
 * A name that nobody has gets a bucket too, under a keyed hash, so that limits don't tell it from
 * one that somebody has (E05).
 */
function unknownBucket(app: App, canonical: string): string {
  return `password:?${createHmac('sha256', app.keys.derivedKey).update(`postern unknown name\n${canonical}`).digest('base64url')}`;
}

/** A password that was right, and the hash that said so. */
interface Verified {
  readonly user: User;
  readonly stored: string;
  readonly changedAt: number;
  /** The same password hashed at today's cost and pepper, when the stored hash is not. */
  readonly rehash: string | null;
  readonly bucket: string;
  /** Attempts on the bucket since the last success, this one included. */
  readonly failures: number;
}

/**
 * So long, at most, an attempt's count waits for a commit to share, and never for more than a
 * quarter of the wait for a lane.
 */
const COUNT_PATIENCE_MS = 20;

/**
 * Compares a password with the stored one of a user, or of nobody: the same work. The attempt has
 * been counted.
 *
 * @param by whose share of the hash queue it is
 * @throws {Refusal} invalid_credentials, overloaded
 */
export async function lookAtPassword(
  app: App,
  user: User | null,
  password: string,
  by: HashContext,
): Promise<Pick<Verified, 'stored' | 'changedAt' | 'rehash'> & { readonly user: User }> {
  const normalized = normalizePassword(password);
  // Nobody's password is looked up too: a read less would tell.
  const credential = await findPassword(app.db, user?.id ?? '');
  // A text that can't be a password here costs a hash all the same.
  const { ok, rehash } = await app.hasher.verify(
    normalized === null ? null : (credential?.passwordHash ?? null),
    normalized ?? 'not a password',
    by,
  );
  if (!ok || user === null || credential === null || normalized === null)
    throw new Refusal('invalid_credentials');
  return { user, stored: credential.passwordHash, changedAt: credential.changedAt, rehash };
}

/**
 * Verifies a password, counting the attempt first.
 *
 * @throws {Refusal} invalid_credentials, too_many_attempts, overloaded
 */
async function verifyPassword(
  app: App,
  user: User | null,
  password: string,
  bucket: string,
  by: HashContext,
): Promise<Verified> {
  // While others wait for a lane, the count shares the commit of the next sign-in instead of waking
  // the disk for itself.
  const failures = await countAttempt(
    app,
    app.config.throttle,
    bucket,
    Math.min(COUNT_PATIENCE_MS, app.hasher.backlogMs / 4),
  );
  try {
    return { ...(await lookAtPassword(app, user, password, by)), bucket, failures };
  } catch (error) {
    // Too busy, or the caller has gone: the guess was not looked at, and must not count against the
    // account.
    if (!(error instanceof Refusal && error.code === 'invalid_credentials'))
      await app.db.write([uncountAttempt(app.config.throttle, bucket)]);
    throw error;
  }
}

/**
 * What the way in takes: the attempts are forgotten and a better hash is stored in the commit of
 * the success.
 */
function passwordShown(
  { user, stored, rehash, bucket }: Verified,
  notice: readonly Statement[] = [],
): VerifiedFactor {
  const upgrade =
    rehash === null ? [] : [upgradePassword({ userId: user.id, seen: stored, next: rehash })];
  return { ...FACTOR, user, effects: [resetThrottle(bucket), ...upgrade, ...notice] };
}

/** Failures before a success after which its user is told (ASVS 6.3.5). */
const UNUSUAL_FAILURES = 10;

function unusual(
  app: App,
  { user, failures }: Verified,
  requester: Requester,
): readonly Statement[] {
  return failures > UNUSUAL_FAILURES
    ? tell(
        app,
        'unusual_sign_in',
        user.email,
        { failures: String(failures - 1), address: requester.ip ?? 'unknown' },
        requester,
      )
    : [];
}

/**
 * Signs in with a name and a password.
 *
 * @throws {Refusal} invalid_credentials, account_disabled (after a right password only),
 *   too_many_attempts, overloaded
 */
export async function signIn(
  app: App,
  input: {
    username: string;
    password: string;
    totp?: string | undefined;
    deviceToken?: string | undefined;
  },
  requester: Requester,
  signal: AbortSignal,
): Promise<Authentication> {
  const name = parseSignInName(input.username);
  const user = await findUserBySignInName(app.db, name);
  const account = user === null ? unknownBucket(app, name.canonical) : passwordBucket(user.id);
  const device =
    user === null || input.deviceToken === undefined
      ? null
      : deviceOf(app.keys.derivedKey, input.deviceToken, user.id, user.epoch);
  const bucket = device === null ? account : `${account}:${device}`;
  try {
    const verified = await verifyPassword(app, user, input.password, bucket, {
      account,
      client: networkOf(requester),
      signal,
    });
    const first = {
      ...passwordShown(verified, unusual(app, verified, requester)),
      mustChange: isTooOld(app, verified),
      device,
    };
    const answer =
      input.totp === undefined ? undefined : ({ factor: 'totp', code: input.totp } as const);
    const authentication = await completeFactors(app, first, answer, requester, signal);
    if (verified.failures > UNUSUAL_FAILURES) app.wakeCourier();
    // The device keeps the token it has.
    return device === null || authentication.status !== 'authenticated'
      ? authentication
      : { ...authentication, device_token: input.deviceToken ?? '' };
  } catch (error) {
    if (error instanceof Refusal) {
      app.log.write(
        error.code === 'too_many_attempts' ? 'warn' : 'info',
        'sign_in.failed',
        'a sign-in was refused',
        {
          request_id: requester.requestId,
          'client.address': requester.ip,
          ...(user === null ? {} : { 'user.id': user.id }),
          factor: 'password',
          'error.type': error.code,
        },
      );
    }
    throw error;
  }
}

/** A password that is older than it may be is right, but signs nobody in. */
export function isTooOld(app: App, { changedAt }: Pick<Verified, 'changedAt'>): boolean {
  const { max_age } = app.config.password;
  return max_age > 0 && app.clock.now() - changedAt > max_age;
}

/**
 * Refuses a password that the user has or had, as far back as the configuration asks.
 *
 * @throws {Refusal} invalid_request, overloaded
 */
export async function demandNewPassword(
  app: App,
  userId: string,
  present: string | null,
  password: string,
  pointer: string,
  by: Pick<HashContext, 'client' | 'signal'>,
): Promise<void> {
  const keep = app.config.password.history;
  if (keep === 0) return;
  const former = [
    ...(present === null ? [] : [present]),
    ...(await listFormerPasswords(app.db, userId, keep)),
  ];
  for (const stored of former) {
    const { ok } = await app.hasher.verify(stored, password, {
      account: passwordBucket(userId),
      ...by,
    });
    if (ok)
      throw invalidRequest({
        pointer,
        code: 'reused',
        detail: 'This password was used here before. Choose another.',
      });
  }
}

/**
 * What a session that is signed in may try: a bucket of its own, so that strangers can't keep it
 * from its own account.
 */
const sessionBucket = ({ user, session }: Principal): string =>
  `${passwordBucket(user.id)}:s${session.id}`;

/**
 * Changes the password. The other sessions end, and so does everything begun with the old one.
 *
 * @throws {Refusal} invalid_credentials, invalid_request, conflict, too_many_attempts, overloaded
 */
export async function changePassword(
  app: App,
  principal: Principal,
  input: { currentPassword: string | undefined; newPassword: string },
  requester: Requester,
  signal: AbortSignal,
): Promise<void> {
  const { user, session } = principal;
  if (input.currentPassword === undefined)
    throw invalidRequest({
      pointer: '/current_password',
      code: 'required',
      detail: 'Send the current password.',
    });
  const by = { account: passwordBucket(user.id), client: networkOf(requester), signal };
  const password = await acceptablePassword(
    app,
    input.newPassword,
    contextOf(app, user),
    '/new_password',
  );
  const verified = await verifyPassword(
    app,
    user,
    input.currentPassword,
    sessionBucket(principal),
    by,
  );
  await demandNewPassword(app, user.id, verified.stored, password, '/new_password', by);
  const next = await app.hasher.hash(password, by);
  const now = app.clock.now();
  try {
    await writeAs(app, principal, [
      ...rememberPassword(user.id, app.config.password.history, now),
      // In the place of the very hash that was verified: of two changes at once the second has
      // proved nothing any more.
      changeStatement({ userId: user.id, seen: verified.stored, next, now }),
      notePasswordSet(user.id, now),
      voidOneTimes(user.id, now),
      ...dropPendingAddress(user, now),
      ...tell(app, 'password_changed', user.email, {}, requester),
      resetThrottle(verified.bucket),
      ...endSessions(
        { kind: 'others', userId: user.id, except: session.id },
        'password_changed',
        now,
      ),
    ]);
  } catch (error) {
    if (error instanceof NothingChanged && error.guard === PASSWORD_MOVED)
      throw new Refusal('conflict', { cause: error });
    throw error;
  }
  app.wakeCourier();
  app.log.write('info', 'password.changed', 'a password was changed', {
    request_id: requester.requestId,
    'user.id': user.id,
    'session.id': session.id,
    'client.address': requester.ip,
  });
}

/** The words that a password of this user must not be made of. */
export function contextOf(
  app: App,
  user: Pick<User, 'username' | 'email' | 'pendingEmail' | 'displayName'>,
): PasswordContext {
  return {
    username: user.username,
    email: user.email ?? user.pendingEmail,
    displayName: user.displayName,
    words: contextWords(app),
  };
}

/**
 * The normalised password, if the policy takes it.
 *
 * @throws {Refusal} invalid_request with every fault
 */
export async function acceptablePassword(
  app: App,
  password: string,
  context: PasswordContext,
  pointer: string,
): Promise<string> {
  const faults = await judgePassword(app, password, context);
  const normalized = normalizePassword(password);
  if (faults.length > 0 || normalized === null)
    throw invalidRequest(...faults.map((fault): InputFault => ({ pointer, ...fault })));
  return normalized;
}

/** The service's own name, and the words that the operator added. */
export function contextWords(app: App): readonly string[] {
  return [app.config.server.name, ...app.config.password.context_words];
}

/** What the policy says of a password: the faults, with a sentence each. */
export async function judgePassword(
  app: App,
  password: string,
  context: PasswordContext,
): Promise<{ code: string; detail: string }[]> {
  const faults: { code: string; detail: string }[] = passwordFaults(
    passwordPolicy(app),
    password,
    context,
  );
  const normalized = normalizePassword(password);
  // What is refused anyway need not be asked about elsewhere.
  if (faults.length === 0 && normalized !== null && (await app.breached.has(normalized)))
    faults.push(BREACHED);
  return faults;
}

const BREACHED = {
  code: 'breached',
  detail: 'This password was in a data breach, so others know it. Use another.',
};

export function passwordPolicy(app: App): PasswordPolicy {
  return { minLength: app.config.password.min_length, common: app.commonPasswords };
}
