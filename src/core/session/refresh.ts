/** Exchanges a refresh token for its successor and a new access token. */
import { DatabaseBusy, StorageUnavailable } from '../../db/database.ts';
import type { Database } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { Refusal } from '../../refusal.ts';
import type { Context } from '../context.ts';
import type { Authenticated } from '../factor/authentication.ts';
import type { EnrolmentGrace } from '../factor/enrolment-grace.ts';
import type { MfaPolicy } from '../factor/factor.ts';
import type { Storage } from '../storage/storage.ts';
import type { IssueTokens } from '../token/issue.ts';
import { findUserById } from '../user/user.ts';
import type { Revocations } from './revocation.ts';
import { clientOf, readRotation, rotateSession } from './rotation.ts';
import type { RefreshSubject, Rotation, RotationRequest } from './rotation.ts';
import { findPrincipal } from './session.ts';
import type { SessionLimits } from './session.ts';

/**
 * Uses a refresh token.
 *
 * It throws {Refusal} refresh_token_reused (the session has been ended), refresh_token_expired,
 * session_revoked, account_disabled, mfa_enrolment_required.
 */
export type RefreshSession = (context: Context, subject: RefreshSubject) => Promise<Authenticated>;

export interface RefreshDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly limits: SessionLimits;
  readonly revocations: Revocations;
  readonly issueTokens: IssueTokens;
  readonly grace: EnrolmentGrace;
  readonly mfa: MfaPolicy;
  readonly storage: Storage;
  /** How long sessions may be refreshed without a write, milliseconds. */
  readonly whenReadOnlyMs: number;
  readonly metrics: Metrics;
}

/**
 * Maximum number of sessions to end at the next successful write; further ones are detected again
 * when they are used.
 */
const MOST_REUSED = 10_000;

/** The label of each outcome in the metrics. */
const METERED = {
  rotated: 'rotated',
  kept: 'grace',
  grace: 'grace',
  reused: 'reused',
  rolled_back: 'refused',
  refused: 'refused',
} as const;

const REFUSED = {
  expired: 'refresh_token_expired',
  ended: 'session_revoked',
  disabled: 'account_disabled',
  unknown: 'session_revoked',
} as const;

export function createRefresh(deps: RefreshDeps): RefreshSession {
  const { db, clock, limits, mfa } = deps;

  /** The rotation refuses a session that has ended. */
  const demandEnrolled = async ({ sessionId, userId }: RefreshSubject): Promise<void> => {
    const principal = await findPrincipal(db, { sessionId, userId, now: clock.now() });
    if (principal !== null) await deps.grace.demand(principal.user, principal.session.factors);
  };

  /** Sessions with a reused token, detected while nothing could be written. */
  const reused = new Map<string, RotationRequest>();
  deps.storage.whenBack(async () => {
    for (const [sessionId, request] of [...reused]) {
      reused.delete(sessionId);
      await rotateSession(db, limits, { ...request, now: clock.now() });
    }
    await deps.revocations.refresh();
  });

  /** The outcome of a refresh without a write: the live token is kept, any other one is reuse. */
  const withoutWrite = async (error: unknown, request: RotationRequest): Promise<Rotation> => {
    const isLost = error instanceof StorageUnavailable || error instanceof DatabaseBusy;
    const since = deps.storage.lostAt ?? request.now;
    if (!isLost || request.now - since >= deps.whenReadOnlyMs) throw error;
    const rotation = await readRotation(db, limits, request);
    if (rotation.outcome === 'reused' && reused.size < MOST_REUSED) {
      reused.set(request.sessionId, request);
    }
    return rotation;
  };

  return async (context, subject) => {
    // Before the token is spent: a refused user keeps it, in case the grace is renewed.
    if (mfa.required === 'all') await demandEnrolled(subject);
    const client = clientOf(context.requester);
    const request = { client, now: clock.now(), ...subject };
    const rotation = await rotateSession(db, limits, request).catch((error: unknown) =>
      withoutWrite(error, request),
    );
    const about = { 'user.id': subject.userId, 'session.id': subject.sessionId };
    deps.metrics.refresh(METERED[rotation.outcome]);
    if (rotation.outcome === 'refused') throw new Refusal(REFUSED[rotation.why]);
    if (rotation.outcome === 'rolled_back') {
      await deps.revocations.refresh();
      context.log.write(
        'info',
        'session.rolled_back',
        'a refresh token is newer than its session, as after a restore from a backup: the session was ended',
        about,
      );
      throw new Refusal('session_revoked');
    }
    if (rotation.outcome === 'reused') {
      await deps.revocations.refresh();
      context.log.write(
        'warn',
        'refresh_token.reused',
        'a spent refresh token came back, so its session was ended',
        about,
      );
      throw new Refusal('refresh_token_reused');
    }
    const user = rotation.user ?? (await findUserById(db, subject.userId));
    if (user === null) throw new Refusal('session_revoked');
    const tokens = deps.issueTokens(context, user, rotation.session);
    if (rotation.outcome === 'kept') return { status: 'authenticated', ...tokens, rotated: false };
    if (rotation.outcome === 'grace') {
      context.log.write(
        'info',
        'refresh_token.grace',
        'a refresh token that was just used got its successor again',
        about,
      );
    }
    return { status: 'authenticated', ...tokens };
  };
}
