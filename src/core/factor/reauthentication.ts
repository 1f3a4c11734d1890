/**
 * Authenticating again within a session, and asking whether that was recent enough (RFC 9470).
 *
 * @see https://www.rfc-editor.org/rfc/rfc9470
 */
import { NothingChanged } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import type { AccessClaims } from '../token/access-token.ts';
import { acrOf, withMethods } from './amr.ts';
import type { AuthenticationDeps } from './authentication-deps.ts';
import { FACTOR_SPENT } from './factor.ts';
import type { FactorName, VerifiedFactor } from './factor.ts';
import { authenticated } from '../token/issue.ts';
import type { Authenticated } from '../token/issue.ts';
import type { Requester } from '../session/requester.ts';
import { demandEnrolled } from './enrolment-grace.ts';
import { enrolledFactors } from './second-factor.ts';
import { USER_STATE_MOVED, renewSession } from '../session/session.ts';
import type { Principal } from '../session/session.ts';

/**
 * Gives the session a new authentication time: its user has shown a factor again. The level never
 * sinks, and rises only by a factor of another kind. Who has a second factor has to show one: a
 * session and its password don't make a sign-in (O09).
 *
 * @throws {Refusal} insufficient_user_authentication when only what is known was shown;
 *   session_revoked when the session ended meanwhile; invalid_credentials when the factor was used
 *   meanwhile; mfa_enrolment_required
 */
export async function reauthenticate(
  deps: AuthenticationDeps,
  principal: Principal,
  verified: VerifiedFactor,
  requester: Requester,
): Promise<Authenticated> {
  const { user, session } = principal;
  if (verified.user.id !== user.id) throw new Error('a factor of another user');
  const due =
    deps.policy.mfa.required === 'off'
      ? []
      : (await enrolledFactors(deps, user.id)).filter(({ kind }) => kind !== verified.kind);
  if (verified.kind === 'knowledge' && due.length > 0) {
    await deps.db.write(verified.effects);
    throw insufficient(
      deps,
      due.map(({ name }) => name),
    );
  }
  const amr = withMethods(session.amr, verified.amr);
  await demandEnrolled(deps, user, amr);
  let rows;
  try {
    [rows] = await deps.db.write([
      renewSession({
        sessionId: session.id,
        userId: user.id,
        epoch: user.epoch,
        amr,
        now: deps.clock.now(),
      }),
      ...verified.effects,
    ]);
  } catch (error) {
    if (error instanceof NothingChanged && error.guard === USER_STATE_MOVED)
      throw new Refusal('session_revoked', { cause: error });
    if (error instanceof NothingChanged && error.guard === FACTOR_SPENT)
      throw new Refusal('invalid_credentials', { cause: error });
    throw error;
  }
  const row = rows[0];
  if (row === undefined) throw new Refusal('session_revoked');
  deps.log.write('info', 'session.reauthenticated', 'a session was authenticated again', {
    request_id: requester.requestId,
    'user.id': user.id,
    'session.id': session.id,
    'client.address': requester.ip,
    factor: verified.factor,
  });
  return authenticated(deps, user, { ...row, amr, id: session.id });
}

/**
 * Demands a recent authentication, at aal2 where the user has a second factor.
 *
 * @throws {Refusal} insufficient_user_authentication (RFC 9470)
 */
export async function demandFresh(
  deps: AuthenticationDeps,
  principal: Principal,
  claims: Pick<AccessClaims, 'auth_time'>,
): Promise<void> {
  const ageMs = deps.clock.now() - claims.auth_time * 1000;
  if (ageMs > deps.policy.freshFor)
    throw new Refusal('insufficient_user_authentication', {
      maxAgeSeconds: Math.floor(deps.policy.freshFor / 1000),
    });
  if (deps.policy.mfa.required === 'off' || acrOf(principal.session.amr) === 'aal2') return;
  const factors = await enrolledFactors(deps, principal.user.id);
  // Whose factors are all of one kind can't get higher.
  if (new Set(factors.map(({ kind }) => kind)).size > 1)
    throw insufficient(
      deps,
      factors.filter(({ kind }) => kind !== 'knowledge').map(({ name }) => name),
    );
}

function insufficient({ policy }: AuthenticationDeps, factors: readonly FactorName[]): Refusal {
  return new Refusal('insufficient_user_authentication', {
    maxAgeSeconds: Math.floor(policy.freshFor / 1000),
    acrValues: 'aal2',
    members: { factors },
  });
}
