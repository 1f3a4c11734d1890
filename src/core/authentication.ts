/**
 * The way in. Every first and second factor ends in {@link completeFactor}, and that call alone decides what is still missing,
 * refuses a disabled user, starts the session and mints. A slice can't skip it, for it may not import minting.
 */
import { NothingChanged } from '../db/database.ts';
import type { Statement } from '../db/database.ts';
import { Problem } from '../problem.ts';
import { acrOf } from './amr.ts';
import type { Amr } from './amr.ts';
import type { AccessClaims } from './access-token.ts';
import { mintChallengeToken, CHALLENGE_TTL_SECONDS } from './challenge-token.ts';
import type { Challenge } from './challenge-token.ts';
import { mintDeviceToken } from './device-token.ts';
import type { Factor, FactorName, MfaPolicy, VerifiedFactor } from './factor.ts';
import { CODE_TTL_MS, insertOneTimeInState, newToken } from './one-time.ts';
import { mintRefreshToken } from './refresh-token.ts';
import type { Requester } from './requester.ts';
import { USER_STATE_MOVED, endsAt, renewSession, rotateSession, startSession, writeEndings } from './session.ts';
import type { Principal, Session } from './session.ts';
import { findUserById } from './user.ts';
import type { User } from './user.ts';
import type { AuthenticationDeps } from './authentication-deps.ts';
import { profileClaims } from './profile.ts';

export interface Authenticated {
  readonly status: 'authenticated';
  readonly token_type: 'Bearer';
  readonly access_token: string;
  /** Seconds. */
  readonly expires_in: number;
  readonly refresh_token: string;
  /** Seconds until it ends unused. */
  readonly refresh_token_expires_in: number;
  readonly session_id: string;
  readonly device_token?: string;
}

export interface MfaRequired {
  readonly status: 'mfa_required';
  readonly challenge_token: string;
  readonly factors: readonly FactorName[];
  /** Seconds. */
  readonly expires_in: number;
}

export type Authentication = Authenticated | MfaRequired;

type Shown = Pick<VerifiedFactor, 'factor' | 'kind' | 'amr'>;

export type NextStep = { readonly step: 'done'; readonly amr: readonly Amr[] } | { readonly step: 'second_factor'; readonly factors: readonly FactorName[] };

/**
 * What is due after the factors shown: pure. Two factors count as two only if their kinds differ, and a factor that brings `mfa`
 * along (a passkey that verified its user) is enough by itself.
 */
export function nextStep(policy: MfaPolicy, shown: readonly Shown[], enrolled: readonly Pick<Factor, 'name' | 'kind'>[]): NextStep {
  const amr = [...new Set(shown.flatMap((factor) => factor.amr))];
  const kinds = new Set(shown.map((factor) => factor.kind));
  if (amr.includes('mfa')) return { step: 'done', amr };
  if (kinds.size > 1) return { step: 'done', amr: [...amr, 'mfa'] };
  const second = enrolled.filter((factor) => !kinds.has(factor.kind));
  if (policy.required === 'off' || second.length === 0) return { step: 'done', amr };
  return { step: 'second_factor', factors: second.map((factor) => factor.name) };
}

/** The second factors that this user has. */
async function enrolledSecond(deps: AuthenticationDeps, userId: string): Promise<Factor[]> {
  const second = deps.factors.filter((factor) => factor.second);
  const enrolled = await Promise.all(second.map((factor) => factor.enrolled(userId)));
  return second.filter((_, index) => enrolled[index]);
}

/**
 * Takes a factor that a slice has verified and does what follows: a challenge for the next factor, or a session with its tokens.
 *
 * @param prior the pending sign-in that this factor goes on with
 * @throws {Problem} account_disabled; password_change_required; invalid_credentials when the user's state moved while the factor was being checked
 */
export async function completeFactor(deps: AuthenticationDeps, verified: VerifiedFactor, requester: Requester, prior?: Challenge): Promise<Authentication> {
  const { user } = verified;
  if (user.disabledAt !== null) throw new Problem('account_disabled');
  if (verified.mustChange === true || user.passwordChangeRequiredAt !== null) throw await demandNewPassword(deps, verified);
  if (prior !== undefined && (prior.userId !== user.id || prior.epoch !== user.epoch)) throw new Problem('invalid_token');
  const shown: readonly Shown[] = [...(prior?.shown ?? []), { factor: verified.factor, kind: verified.kind, amr: verified.amr }];
  const next = nextStep(deps.policy.mfa, shown, await enrolledSecond(deps, user.id));
  const { log } = deps;
  if (next.step === 'second_factor') {
    if (verified.effects.length > 0) await deps.db.write(verified.effects);
    log.write('info', 'sign_in.challenged', 'a second factor is due', { request_id: requester.requestId, 'user.id': user.id, factor: verified.factor });
    const challenge: Challenge = { id: deps.newId(), userId: user.id, epoch: user.epoch, shown: shown.map(({ factor, kind, amr }) => ({ factor, kind, amr })) };
    return {
      status: 'mfa_required',
      challenge_token: mintChallengeToken(deps.keys, deps.policy.issuer, deps.clock, challenge),
      factors: next.factors,
      expires_in: CHALLENGE_TTL_SECONDS,
    };
  }
  const session = await openSession(deps, user, next.amr, requester, verified.effects);
  log.write('info', 'sign_in.succeeded', 'a session was started', {
    request_id: requester.requestId,
    'user.id': user.id,
    'session.id': session.id,
    'client.address': requester.ip,
    factor: verified.factor,
    amr: next.amr,
  });
  return { ...authenticated(deps, user, session), device_token: mintDeviceToken(deps.keys.derivedKey, deps.random, user.id, user.epoch) };
}

/** Only the right factor comes this far. What it gets opens nothing but the setting of a new password. */
async function demandNewPassword(deps: AuthenticationDeps, { user, effects }: VerifiedFactor): Promise<Problem> {
  const token = newToken(deps.random);
  const now = deps.clock.now();
  const reset = { id: deps.newId(), purpose: 'password_reset', userId: user.id, subject: null, token, codeHash: null, payloadSealed: null, now, ttlMs: CODE_TTL_MS } as const;
  try {
    await deps.db.write([...effects, insertOneTimeInState(reset, user.epoch, USER_STATE_MOVED)]);
  } catch (error) {
    // The password was replaced while it was being checked: the old one must not set another.
    if (error instanceof NothingChanged && error.guard === USER_STATE_MOVED) return new Problem('invalid_credentials', { cause: error });
    throw error;
  }
  return new Problem('password_change_required', { members: { reset_token: token, expires_in: CODE_TTL_MS / 1000 } });
}

async function openSession(deps: AuthenticationDeps, user: User, amr: readonly Amr[], requester: Requester, effects: readonly Statement[]): Promise<Session> {
  const now = deps.clock.now();
  const id = deps.newId();
  try {
    await writeEndings(deps, [...effects, ...startSession(deps.policy.sessions, { id, userId: user.id, epoch: user.epoch, amr, requester, now })]);
  } catch (error) {
    // The password was changed, or the user disabled, between the check and this commit: the check no longer holds.
    if (error instanceof NothingChanged && error.guard === USER_STATE_MOVED) throw new Problem('invalid_credentials', { cause: error });
    throw error;
  }
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

type TokenSession = Pick<Session, 'id' | 'generation' | 'rotatedAt' | 'authTime' | 'lastUsedAt' | 'expiresAt' | 'amr'>;

function authenticated(deps: AuthenticationDeps, user: User, session: TokenSession): Authenticated {
  const { issuer, sessions } = deps.policy;
  const end = endsAt(sessions, session);
  const now = deps.clock.now();
  return {
    status: 'authenticated',
    token_type: 'Bearer',
    access_token: deps.accessTokens.mint({
      userId: user.id,
      sessionId: session.id,
      authTime: session.authTime,
      sessionEndsAt: session.expiresAt,
      amr: session.amr,
      profile: profileClaims(deps.policy.profileClaims, user),
      claims: user.claims,
    }),
    expires_in: Math.max(1, Math.min(deps.accessTokens.ttlSeconds, Math.floor((session.expiresAt - now) / 1000))),
    refresh_token: mintRefreshToken(deps.keys, issuer, {
      sessionId: session.id,
      userId: user.id,
      generation: session.generation,
      rotatedAt: session.rotatedAt,
      authTime: session.authTime,
      endsAt: end,
    }),
    refresh_token_expires_in: Math.max(0, Math.floor((end - now) / 1000)),
    session_id: session.id,
  };
}

/**
 * Trades a refresh token for its successor and a new access token.
 *
 * @throws {Problem} refresh_token_reused (the session has been ended), refresh_token_expired, session_revoked, account_disabled, invalid_token
 */
export async function refreshSession(deps: AuthenticationDeps, token: { sessionId: string; userId: string; generation: number }, requester: Requester): Promise<Authenticated> {
  const rotation = await rotateSession(deps, deps.policy.sessions, token);
  const about = { request_id: requester.requestId, 'user.id': token.userId, 'session.id': token.sessionId, 'client.address': requester.ip } as const;
  switch (rotation.outcome) {
    case 'rotated':
    case 'grace': {
      const user = await findUserById(deps.db, token.userId);
      if (user === null) throw new Problem('session_revoked');
      return authenticated(deps, user, { ...rotation.session, id: token.sessionId });
    }
    case 'reused':
      await deps.revocations.refresh();
      deps.log.write('warn', 'refresh_token.reused', 'a spent refresh token came back, so its session was ended', about);
      throw new Problem('refresh_token_reused');
    case 'refused':
      throw new Problem(REFUSED[rotation.why]);
  }
}

const REFUSED = { expired: 'refresh_token_expired', ended: 'session_revoked', disabled: 'account_disabled', unknown: 'session_revoked' } as const;

/**
 * Gives the session a new authentication time: its user has shown a factor again. The level never sinks, and rises only by a
 * factor of another kind.
 *
 * @throws {Problem} session_revoked when the session ended meanwhile
 */
export async function reauthenticate(deps: AuthenticationDeps, principal: Principal, verified: VerifiedFactor, requester: Requester): Promise<Authenticated> {
  const { user, session } = principal;
  if (verified.user.id !== user.id) throw new Error('a factor of another user');
  const second = await enrolledSecond(deps, user.id);
  const mfa = session.amr.includes('mfa') && second.length > 0;
  const amr = [...new Set([...verified.amr, ...(mfa ? session.amr : [])])];
  let rows;
  try {
    [rows] = await deps.db.write([renewSession({ sessionId: session.id, userId: user.id, epoch: user.epoch, amr, now: deps.clock.now() }), ...verified.effects]);
  } catch (error) {
    if (error instanceof NothingChanged && error.guard === USER_STATE_MOVED) throw new Problem('session_revoked', { cause: error });
    throw error;
  }
  const row = rows[0];
  if (row === undefined) throw new Problem('session_revoked');
  deps.log.write('info', 'session.reauthenticated', 'a session was authenticated again', { request_id: requester.requestId, 'user.id': user.id, 'session.id': session.id, factor: verified.factor });
  return authenticated(deps, user, { ...row, amr, id: session.id });
}

/**
 * Demands a recent authentication, at aal2 where the user has a second factor.
 *
 * @throws {Problem} insufficient_user_authentication (RFC 9470)
 */
export async function demandFresh(deps: AuthenticationDeps, principal: Principal, claims: Pick<AccessClaims, 'auth_time'>): Promise<void> {
  const freshMs = deps.policy.freshFor;
  const ageMs = deps.clock.now() - claims.auth_time * 1000;
  if (ageMs > freshMs) throw new Problem('insufficient_user_authentication', { maxAgeSeconds: Math.floor(freshMs / 1000) });
  if (deps.policy.mfa.required !== 'off' && acrOf(principal.session.amr) === 'aal1' && (await enrolledSecond(deps, principal.user.id)).length > 0) {
    throw new Problem('insufficient_user_authentication', { maxAgeSeconds: Math.floor(freshMs / 1000), acrValues: 'aal2' });
  }
}

/** Whether a second factor is asked of this user. */
export async function hasSecondFactor(deps: AuthenticationDeps, userId: string): Promise<boolean> {
  return (await enrolledSecond(deps, userId)).length > 0;
}
