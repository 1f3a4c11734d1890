/**
 * Authenticating again within a session, and checking whether that was recent enough.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9470
 */
import { recorded } from '../audit/audited-event.ts';
import type { Clock } from '../../lib/clock.ts';
import { Refusal } from '../../refusal.ts';
import type { Commit } from '../commit.ts';
import type { PrincipalContext } from '../context.ts';
import type { Principal } from '../session/session.ts';
import { renewSession } from '../session/start.ts';
import type { IssueTokens } from '../token/issue.ts';
import type { Authenticated } from './authentication.ts';
import type { EnrolmentGrace } from './enrolment-grace.ts';
import type { Factor, MfaPolicy, VerifiedFactor } from './factor.ts';
import type { Factors } from './factors.ts';
import { acrOf, withFactor } from './presented.ts';

export interface Reauthenticating {
  /**
   * Gives the session a new authentication time, because its user presented a factor again. The
   * level never drops, and rises only by a factor of another kind. A user with a second factor must
   * present it: a session and its password are not enough for a sign-in (O09).
   *
   * @throws {Refusal} insufficient_user_authentication when what was presented is none of the user's second
   *   factors;
   *   session_revoked when the session ended meanwhile; invalid_credentials when the factor was
   *   used meanwhile; mfa_enrolment_required
   */
  reauthenticate(context: PrincipalContext, verified: VerifiedFactor): Promise<Authenticated>;
  /**
   * Requires a recent authentication, at aal2 if the user has a second factor.
   *
   * @param authTimeSeconds the `auth_time` of the access token
   * @throws {Refusal} insufficient_user_authentication
   */
  demandFresh(principal: Principal, authTimeSeconds: number): Promise<void>;
}

export interface ReauthenticationDeps {
  readonly clock: Clock;
  readonly commit: Commit;
  readonly factors: Factors;
  readonly grace: EnrolmentGrace;
  readonly issueTokens: IssueTokens;
  readonly mfa: MfaPolicy;
  /** For how long an authentication counts as fresh, milliseconds. */
  readonly freshForMs: number;
}

export function createReauthentication(deps: ReauthenticationDeps): Reauthenticating {
  const { clock, commit, factors, mfa, freshForMs } = deps;
  const maxAgeSeconds = Math.floor(freshForMs / 1000);
  const insufficient = (due: readonly Factor[]): Refusal =>
    new Refusal('insufficient_user_authentication', {
      maxAgeSeconds,
      acrValues: 'aal2',
      members: { factors: due.map(({ name }) => name) },
    });
  const enrolled = async (userId: string): Promise<readonly Factor[]> =>
    mfa.required === 'off' ? [] : factors.enrolled(userId);

  return {
    reauthenticate: async (context, verified) => {
      const { user, session } = context.principal;
      if (verified.user.id !== user.id) throw new Error('a factor of another user');
      const own = await enrolled(user.id);
      const due = own.filter(({ kind }) => kind !== 'knowledge');
      // A mailbox or an outside provider is no second factor, nor is a password.
      if (due.length > 0 && !due.some(({ name }) => name === verified.factor)) {
        await commit(context, verified.effects);
        throw insufficient(due);
      }
      const { factor, kind, amr, isMultiFactor = false } = verified;
      // A sign-in method that is no factor proves again what the session began with, and no more.
      const isFactor = factors.active.some(({ name }) => name === factor);
      const again = { factor, kind, amr, isMultiFactor };
      const presented = isFactor ? withFactor(session.factors, again) : session.factors;
      await deps.grace.demand(user, presented);
      const renewal = renewSession(context.principal, presented, clock.now());
      const record = recorded('session.reauthenticated', 'a session was authenticated again', {
        factor,
      });
      const done = await commit(context, [renewal, ...verified.effects, record]);
      const [renewed] = done.rowsOf(renewal);
      if (renewed === undefined) throw new Refusal('session_revoked');
      return { status: 'authenticated', ...deps.issueTokens(context, user, renewed) };
    },
    demandFresh: async ({ user, session }, authTimeSeconds) => {
      // There is nothing that its user could present: the session is all there is.
      if (user.anonymousAt !== null) return;
      if (clock.now() - authTimeSeconds * 1000 > freshForMs) {
        throw new Refusal('insufficient_user_authentication', { maxAgeSeconds });
      }
      if (mfa.required === 'off' || acrOf(session.factors) === 'aal2') return;
      const own = await enrolled(user.id);
      // A user whose factors are all of one kind can't reach a higher level.
      if (new Set(own.map(({ kind }) => kind)).size < 2) return;
      throw insufficient(own.filter(({ kind }) => kind !== 'knowledge'));
    },
  };
}
