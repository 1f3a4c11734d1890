/** Enrolling an authenticator app, confirming it, taking it away, and verifying its codes. */
import type { App } from '../../app/capabilities.ts';
import { SealError } from '../../crypto/seal.ts';
import { NothingChanged } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { withMethods, withoutMethods } from '../../core/factor/amr.ts';
import type { VerifiedFactor } from '../../core/factor/factor.ts';
import { afterRemoval, changeFactors } from '../../core/factor/factor-change.ts';
import { newRecoveryCodes, replaceRecoveryCodes } from '../../core/factor/recovery-code.ts';
import { networkOf } from '../../core/session/requester.ts';
import type { Requester } from '../../core/session/requester.ts';
import { enrolmentBucket } from '../../core/factor/second-factor.ts';
import type { Principal } from '../../core/session/session.ts';
import { writeAs } from '../../core/session/session-commit.ts';
import { countAttempt, resetThrottle, uncountAttempt } from '../../core/attempt/attempt.ts';
import type { User } from '../../core/user/user.ts';
import { SECRET_BYTES, base32, matchingStep, otpauthUri } from './code.ts';
import {
  ENROLMENT_OVER,
  NO_TOTP,
  acceptStep,
  confirmEnrolment,
  deleteTotp,
  findEnrolment,
  findTotp,
  insertEnrolment,
} from './store.ts';

/** An authenticator that nobody confirmed in this time was not scanned. */
const ENROLMENT_TTL_MS = 3_600_000;

const FACTOR = { factor: 'totp', kind: 'device', amr: ['otp'] } as const;
const LETTER_NAME = 'an authenticator app';

const purpose = (userId: string): string => `totp.secret:${userId}`;
/**
 * What was shown to a session is confirmed by that session, in that state of the account, or not at
 * all (G8, G9).
 */
const proposal = ({ user, session }: Principal): string =>
  `totp.enrolment:${user.id}:${session.id}:${user.epoch}`;
const windowOf = ({ config }: App): 0 | 1 => (config.totp.strict ? 0 : 1);

export interface Enrolment {
  /** Base 32, for typing. */
  readonly secret: string;
  readonly otpauthUri: string;
}

/**
 * Begins an enrolment. It does nothing until it is confirmed, and an authenticator that is in force
 * stays so till then (O03).
 */
export async function enrolTotp(app: App, principal: Principal): Promise<Enrolment> {
  const { user } = principal;
  const bytes = app.random.bytes(SECRET_BYTES);
  const now = app.clock.now();
  await writeAs(app, principal, [
    insertEnrolment({
      userId: user.id,
      secretSealed: app.sealer.seal(proposal(principal), bytes),
      now,
      expiresAt: now + ENROLMENT_TTL_MS,
    }),
  ]);
  const secret = base32(bytes);
  return {
    secret,
    otpauthUri: otpauthUri({
      issuer: app.config.totp.issuer ?? app.config.server.name,
      account: user.username ?? user.email ?? user.id,
      secret,
    }),
  };
}

/**
 * The seed that this session was shown; null when it was another session, or the account has
 * changed since.
 */
function openProposal(app: App, principal: Principal, sealed: string): Buffer | null {
  try {
    return app.sealer.open(proposal(principal), sealed);
  } catch (error) {
    if (error instanceof SealError && error.code === 'changed') return null;
    throw error;
  }
}

/**
 * Confirms the enrolment by a code of it, and makes recovery codes.
 *
 * @throws {Refusal} invalid_code: wrong, or nothing to confirm; conflict, too_many_attempts,
 *   overloaded
 */
export async function confirmTotp(
  app: App,
  principal: Principal,
  code: string,
  requester: Requester,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { user, session } = principal;
  const bucket = enrolmentBucket(user.id);
  await countAttempt(app, app.config.throttle, bucket);
  const now = app.clock.now();
  const seen = await findEnrolment(app.db, user.id, now);
  const secret = seen === null ? null : openProposal(app, principal, seen);
  const step = secret === null ? null : matchingStep(secret, code, now, windowOf(app), -1);
  if (seen === null || secret === null || step === null) throw new Refusal('invalid_code');
  const secretSealed = app.sealer.seal(purpose(user.id), secret);
  const codes = newRecoveryCodes(app.random);
  try {
    const recovery = await replaceRecoveryCodes(app.hasher, user.id, codes, now, {
      client: networkOf(requester),
      signal,
    });
    const statements = [
      ...confirmEnrolment({ userId: user.id, seen, secretSealed, step, now }),
      ...recovery,
      resetThrottle(bucket),
    ];
    await changeFactors(
      app,
      principal,
      {
        statements,
        amr: withMethods(session.amr, FACTOR.amr),
        letter: 'factor_added',
        factor: LETTER_NAME,
        name: 'totp',
        event: 'factor.added',
      },
      requester,
    );
  } catch (error) {
    if (error instanceof NothingChanged && error.guard === ENROLMENT_OVER)
      throw new Refusal('conflict', { cause: error });
    if (error instanceof Refusal && error.code === 'overloaded')
      await app.db.write([uncountAttempt(app.config.throttle, bucket)]);
    throw error;
  }
  return codes;
}

/**
 * Takes the authenticator away.
 *
 * @throws {Refusal} not_found: there is none; last_second_factor, conflict
 */
export async function removeTotp(
  app: App,
  principal: Principal,
  requester: Requester,
): Promise<void> {
  const { user, session } = principal;
  if ((await findTotp(app.db, user.id)) === null) throw new Refusal('not_found');
  const others = await Promise.all(
    app.factors
      .filter(({ name, demandsSecond }) => demandsSecond && name !== 'totp')
      .map((factor) => factor.enrolled(user.id)),
  );
  try {
    const statements = [
      ...deleteTotp(user.id),
      ...afterRemoval(app, user.id, others.includes(true)),
    ];
    await changeFactors(
      app,
      principal,
      {
        statements,
        amr: withoutMethods(session.amr, FACTOR.amr),
        letter: 'factor_removed',
        factor: LETTER_NAME,
        name: 'totp',
        event: 'factor.removed',
      },
      requester,
    );
  } catch (error) {
    if (error instanceof NothingChanged && error.guard === NO_TOTP)
      throw new Refusal('not_found', { cause: error });
    throw error;
  }
}

/**
 * Verifies a code of the user's authenticator; that its step was never accepted is decided by the
 * statement among the effects.
 *
 * @throws {Refusal} invalid_credentials
 */
export async function verifyTotp(app: App, user: User, code: string): Promise<VerifiedFactor> {
  const row = await findTotp(app.db, user.id);
  if (row === null) throw new Refusal('invalid_credentials');
  const now = app.clock.now();
  const secret = app.sealer.open(purpose(user.id), row.secretSealed);
  const step = matchingStep(secret, code.replaceAll(' ', ''), now, windowOf(app), row.lastStep);
  if (step === null) throw new Refusal('invalid_credentials');
  // A seed that a former key sealed moves to the present one when there is a write anyway.
  const secretSealed = app.sealer.isCurrent(row.secretSealed)
    ? row.secretSealed
    : app.sealer.seal(purpose(user.id), secret);
  return {
    ...FACTOR,
    user,
    effects: [acceptStep({ userId: user.id, step, createdAt: row.createdAt, secretSealed, now })],
  };
}
