/**
 * The way in. Every first and second factor ends in {@link completeFactor}, and that call alone
 * decides what is still missing, refuses a disabled user, starts the session and mints. A slice
 * can't skip it, for it may not import minting.
 */
import { NothingChanged } from '../../db/database.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import type { Amr } from './amr.ts';
import { CHALLENGE_SPENT } from './challenge.ts';
import { mintChallengeToken, CHALLENGE_TTL_SECONDS } from '../token/challenge-token.ts';
import type { Challenge } from '../token/challenge-token.ts';
import { mintDeviceToken } from '../token/device-token.ts';
import { FACTOR_SPENT } from './factor.ts';
import type { Answer, FactorName, VerifiedFactor } from './factor.ts';
import { demandEnrolledSession, mfaDueAt } from './enrolment-grace.ts';
import { nextStep } from './next-step.ts';
import type { Shown } from './next-step.ts';
import { CODE_TTL_MS, insertOneTimeInState, newToken } from '../one-time/one-time.ts';
import { authenticated } from '../token/issue.ts';
import type { Authenticated } from '../token/issue.ts';
import type { Requester } from '../session/requester.ts';
import { USER_STATE_MOVED, rotateSession, startSession, writeEndings } from '../session/session.ts';
import type { Session } from '../session/session.ts';
import { enrolledFactors, verifyAnswer } from './second-factor.ts';
import { beginMfaGrace, findUserById } from '../user/user.ts';
import type { User } from '../user/user.ts';
import type { AuthenticationDeps } from './authentication-deps.ts';

export interface MfaRequired {
  readonly status: 'mfa_required';
  readonly challenge_token: string;
  readonly factors: readonly FactorName[];
  /** Seconds. */
  readonly expires_in: number;
}

export type { Authenticated };
export type Authentication = Authenticated | MfaRequired;

/**
 * Takes a factor that a slice has verified and does what follows: a challenge for the next factor,
 * or a session with its tokens.
 *
 * @param prior the pending sign-in that this factor goes on with
 * @throws {Refusal} account_disabled; password_change_required; mfa_enrolment_required;
 *   invalid_credentials when the user's state moved or the factor was used while it was being
 *   checked; invalid_token when the pending sign-in is over
 */
export async function completeFactor(
  deps: AuthenticationDeps,
  verified: VerifiedFactor,
  requester: Requester,
  prior?: Challenge,
): Promise<Authentication> {
  const { user } = verified;
  if (user.disabledAt !== null) throw new Refusal('account_disabled');
  if (prior !== undefined && (prior.userId !== user.id || prior.epoch !== user.epoch))
    throw new Refusal('invalid_token');
  const shown: readonly Shown[] = [
    ...(prior?.shown ?? []),
    { factor: verified.factor, kind: verified.kind, amr: verified.amr },
  ];
  const mustChange = verified.mustChange === true || prior?.mustChange === true;
  const next = nextStep(deps.policy.mfa, shown, await enrolledFactors(deps, user.id));
  const { log } = deps;
  if (next.step === 'second_factor') {
    if (verified.effects.length > 0) await committing(() => deps.db.write(verified.effects));
    log.write('info', 'sign_in.challenged', 'a second factor is due', {
      request_id: requester.requestId,
      'user.id': user.id,
      'client.address': requester.ip,
      factor: verified.factor,
    });
    const challenge: Challenge = {
      id: deps.newId(),
      userId: user.id,
      epoch: user.epoch,
      device: verified.device ?? null,
      mustChange,
      shown: shown.map(({ factor, kind, amr }) => ({ factor, kind, amr })),
    };
    return {
      status: 'mfa_required',
      challenge_token: mintChallengeToken(deps.keys, deps.policy.issuer, deps.clock, challenge),
      factors: next.factors,
      expires_in: CHALLENGE_TTL_SECONDS,
    };
  }
  // Not before everything was shown: what sets a new password must not come for one factor of two.
  if (mustChange || user.passwordChangeRequiredAt !== null)
    throw await demandNewPassword(deps, verified);
  const dueAt = next.step === 'enrol' ? await enrolmentDue(deps, user, verified.effects) : null;
  const session = await openSession(
    deps,
    user,
    next.amr,
    requester,
    dueAt === null ? verified.effects : [...verified.effects, beginMfaGrace(user.id, dueAt)],
  );
  log.write('info', 'sign_in.succeeded', 'a session was started', {
    request_id: requester.requestId,
    'user.id': user.id,
    'session.id': session.id,
    'client.address': requester.ip,
    factor: verified.factor,
    amr: next.amr,
  });
  const authentication = {
    ...authenticated(deps, user, session),
    device_token: mintDeviceToken(deps.keys.derivedKey, deps.random, user.id, user.epoch),
  };
  return dueAt === null ? authentication : { ...authentication, mfa_due_at: dueAt };
}

/**
 * The same for a first factor that came together with a second one. Where none is due, the second
 * is not looked at.
 *
 * @throws {Refusal} as completeFactor and verifyAnswer
 */
export async function completeFactors(
  deps: AuthenticationDeps,
  first: VerifiedFactor,
  answer: Answer | undefined,
  requester: Requester,
  signal: AbortSignal,
): Promise<Authentication> {
  if (answer === undefined || first.user.disabledAt !== null)
    return completeFactor(deps, first, requester);
  const { user } = first;
  const shown = { factor: first.factor, kind: first.kind, amr: first.amr };
  const next = nextStep(deps.policy.mfa, [shown], await enrolledFactors(deps, user.id));
  if (next.step !== 'second_factor' || !next.factors.includes(answer.factor))
    return completeFactor(deps, first, requester);
  const id = deps.newId();
  const device = first.device ?? null;
  let second;
  try {
    second = await verifyAnswer(
      deps,
      { user, answer, occasion: { kind: 'sign_in', id }, apart: device },
      requester,
      signal,
    );
  } catch (error) {
    // The first one was right all the same, and is no failure of its own count.
    if (error instanceof Refusal) await committing(() => deps.db.write(first.effects));
    throw error;
  }
  const prior: Challenge = {
    id,
    userId: user.id,
    epoch: user.epoch,
    device,
    mustChange: first.mustChange === true,
    shown: [shown],
  };
  return completeFactor(
    deps,
    { ...second, effects: [...first.effects, ...second.effects] },
    requester,
    prior,
  );
}

/**
 * Until when who has no second factor may come in; the right factor that was shown is no failure.
 * @throws {Refusal} mfa_enrolment_required
 */
async function enrolmentDue(
  deps: AuthenticationDeps,
  user: User,
  effects: readonly Statement[],
): Promise<number> {
  try {
    return mfaDueAt(deps, user);
  } catch (error) {
    await committing(() => deps.db.write(effects));
    throw error;
  }
}

/**
 * What a factor's effects say when they no longer hold. @throws {Refusal} invalid_credentials,
 * invalid_token
 */
async function committing<T>(commit: () => Promise<T>): Promise<T> {
  try {
    return await commit();
  } catch (error) {
    // The password was changed, the user disabled, or the code used by somebody faster between the
    // check and this commit.
    if (
      error instanceof NothingChanged &&
      (error.guard === USER_STATE_MOVED || error.guard === FACTOR_SPENT)
    )
      throw new Refusal('invalid_credentials', { cause: error });
    if (error instanceof NothingChanged && error.guard === CHALLENGE_SPENT)
      throw new Refusal('invalid_token', { cause: error });
    throw error;
  }
}

/**
 * Only the right factor comes this far. What it gets opens nothing but the setting of a new
 * password.
 */
async function demandNewPassword(
  deps: AuthenticationDeps,
  { user, effects }: VerifiedFactor,
): Promise<Refusal> {
  const token = newToken(deps.random);
  const now = deps.clock.now();
  const reset = {
    id: deps.newId(),
    purpose: 'password_reset',
    userId: user.id,
    subject: null,
    token,
    codeHash: null,
    payloadSealed: null,
    now,
    ttlMs: CODE_TTL_MS,
  } as const;
  // Replaced while it was being checked, the old one must not set another.
  await committing(() =>
    deps.db.write([...effects, insertOneTimeInState(reset, user.epoch, USER_STATE_MOVED)]),
  );
  return new Refusal('password_change_required', {
    members: { reset_token: token, expires_in: CODE_TTL_MS / 1000 },
  });
}

async function openSession(
  deps: AuthenticationDeps,
  user: User,
  amr: readonly Amr[],
  requester: Requester,
  effects: readonly Statement[],
): Promise<Session> {
  const now = deps.clock.now();
  const id = deps.newId();
  await committing(() =>
    writeEndings(deps, [
      ...effects,
      ...startSession(deps.policy.sessions, {
        id,
        userId: user.id,
        epoch: user.epoch,
        amr,
        requester,
        now,
      }),
    ]),
  );
  return {
    id,
    userId: user.id,
    generation: 0,
    rotatedAt: now,
    authTime: now,
    amr,
    createdAt: now,
    lastUsedAt: now,
    expiresAt: now + deps.policy.sessions.refresh_ttl,
    ip: requester.ip,
    userAgent: requester.userAgent,
  };
}

/**
 * Trades a refresh token for its successor and a new access token.
 *
 * @throws {Refusal} refresh_token_reused (the session has been ended), refresh_token_expired,
 *   session_revoked, account_disabled, mfa_enrolment_required, invalid_token
 */
export async function refreshSession(
  deps: AuthenticationDeps,
  token: { sessionId: string; userId: string; generation: number },
  requester: Requester,
): Promise<Authenticated> {
  // Before the token is spent: who is refused keeps it, for when there is another grace.
  if (deps.policy.mfa.required === 'all') await demandEnrolledSession(deps, token);
  const rotation = await rotateSession(deps, deps.policy.sessions, token);
  const about = {
    request_id: requester.requestId,
    'user.id': token.userId,
    'session.id': token.sessionId,
    'client.address': requester.ip,
  } as const;
  switch (rotation.outcome) {
    case 'rotated':
    case 'grace': {
      const user = await findUserById(deps.db, token.userId);
      if (user === null) throw new Refusal('session_revoked');
      return authenticated(deps, user, { ...rotation.session, id: token.sessionId });
    }
    case 'reused':
      await deps.revocations.refresh();
      deps.log.write(
        'warn',
        'refresh_token.reused',
        'a spent refresh token came back, so its session was ended',
        about,
      );
      throw new Refusal('refresh_token_reused');
    case 'refused':
      throw new Refusal(REFUSED[rotation.why]);
  }
}

const REFUSED = {
  expired: 'refresh_token_expired',
  ended: 'session_revoked',
  disabled: 'account_disabled',
  unknown: 'session_revoked',
} as const;
