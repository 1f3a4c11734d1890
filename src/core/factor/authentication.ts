/**
 * Signing in. Every first and second factor ends in `completeFactor`, which alone decides whether
 * another factor is needed, refuses a disabled user, starts the session and mints its tokens. A
 * feature can't bypass it, because it may not import the minting module.
 */
import { recorded } from '../audit/audited-event.ts';
import { beginEnrolmentGrace } from '../user/mfa-deadline.ts';
import type { Statement } from '../../db/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/id.ts';
import { Refusal } from '../../refusal.ts';
import { ANYBODY } from '../attempt/attempts.ts';
import type { AttemptScope } from '../attempt/attempts.ts';
import type { Commit } from '../commit.ts';
import type { Context } from '../context.ts';
import { CODE_TTL_MS } from '../one-time/one-time.ts';
import { insertOneTimeFor, newToken } from '../one-time/issue.ts';
import type { NewOneTime } from '../one-time/issue.ts';
import type { SendResetLink } from '../password/reset-link.ts';
import type { Sessions } from '../session/sessions.ts';
import { CHALLENGE_TTL_SECONDS } from '../token/challenge-token.ts';
import type { Challenge, ChallengeTokens } from '../token/challenge-token.ts';
import type { DeviceTokens } from '../token/device-token.ts';
import type { IssuedTokens, IssueTokens } from '../token/issue.ts';
import { demandState, signInNameOf } from '../user/user.ts';
import type { User } from '../user/user.ts';
import type { EnrolmentGrace } from './enrolment-grace.ts';
import type { FactorAnswer, MfaPolicy, VerifiedFactor } from './factor.ts';
import type { Factors } from './factors.ts';
import { nextStep } from './next-step.ts';
import type { EnrolledFactor } from './next-step.ts';
import { signInIsOver } from './pending-sign-in.ts';
import { amrOf } from './presented.ts';
import type { PresentedFactor } from './presented.ts';

export interface MfaRequired {
  readonly status: 'mfa_required';
  readonly challengeToken: string;
  /** Names of the factors that the user can present. */
  readonly factors: readonly string[];
  readonly expiresInSeconds: number;
}

export interface Authenticated extends IssuedTokens {
  readonly status: 'authenticated';
  /** Only at sign-in. */
  readonly deviceToken?: string;
  /** False when the refresh token is the one that was presented. */
  readonly rotated?: false;
  /**
   * Wall-clock milliseconds; set when the policy requires a second factor that is not enrolled yet.
   */
  readonly mfaDueAt?: number;
}

export type Authentication = Authenticated | MfaRequired;

export interface Authenticating {
  /**
   * Takes a factor that a feature has verified, and returns a challenge for the next factor or a
   * session with its tokens.
   *
   * @param prior the pending sign-in that this factor continues
   * @throws {Refusal} account_disabled; password_change_required; mfa_enrolment_required;
   *   invalid_credentials when the user's state changed or the factor was used while it was being
   *   verified; invalid_token when the pending sign-in has ended; the refusals of guards among the
   *   effects
   */
  completeFactor(
    context: Context,
    verified: VerifiedFactor,
    prior?: Challenge,
  ): Promise<Authentication>;
  /**
   * The same for a first factor that was sent together with a second one. If no second factor is
   * required, the second one is not checked.
   *
   * @throws {Refusal} as completeFactor and Factors.present
   */
  completeFactors(
    context: Context,
    first: VerifiedFactor,
    answer: FactorAnswer | null,
  ): Promise<Authentication>;
  /** The session of a new account for which nothing was presented: `aal0`. */
  startAnonymous(
    context: Context,
    user: User,
    effects: readonly Statement[],
  ): Promise<Authenticated>;
}

export interface AuthenticationDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: () => string;
  readonly commit: Commit;
  readonly factors: Factors;
  readonly grace: EnrolmentGrace;
  readonly sessions: Sessions;
  readonly challengeTokens: ChallengeTokens;
  readonly deviceTokens: DeviceTokens;
  readonly issueTokens: IssueTokens;
  readonly sendResetLink: SendResetLink;
  readonly mfa: MfaPolicy;
}

const presentedBy = ({ factor, kind, amr, isMultiFactor }: VerifiedFactor): PresentedFactor => ({
  factor,
  kind,
  amr,
  ...(isMultiFactor === true ? { isMultiFactor } : {}),
});

/** A known device has attempt counters of its own. */
export function scopeOfDevice(device: string | null | undefined): AttemptScope {
  return device === null || device === undefined ? ANYBODY : { kind: 'device', id: device };
}

export function createAuthentication(deps: AuthenticationDeps): Authenticating {
  const { clock, random, newId, commit, factors, grace, mfa } = deps;

  const challenged = async (
    context: Context,
    verified: VerifiedFactor,
    challenge: Omit<Challenge, 'id'>,
    due: readonly string[],
  ): Promise<MfaRequired> => {
    const record = recorded('sign_in.challenged', 'a second factor is due', {
      'user.id': verified.user.id,
      'user.name': signInNameOf(verified.user),
      factor: verified.factor,
    });
    await commit(context, [...verified.effects, record]);
    return {
      status: 'mfa_required',
      challengeToken: deps.challengeTokens.mint({ id: newId(), ...challenge }),
      factors: due,
      expiresInSeconds: CHALLENGE_TTL_SECONDS,
    };
  };

  /**
   * Called only after all factors were correct. The token that it returns can only set a new
   * password; a password that was replaced while it was being verified must not set another.
   */
  const demandNewPassword = async (
    context: Context,
    { user, effects }: VerifiedFactor,
  ): Promise<Refusal> => {
    // An operator's demand may mean that somebody else knows the password: require access to the
    // mailbox.
    if (user.passwordChangeRequiredAt !== null && user.email !== null) {
      const link = deps.sendResetLink(context, { user, name: user.email });
      const inState = demandState(user, 'invalid_credentials');
      await commit(context, [inState, ...effects, ...link]);
      return new Refusal('password_change_required', {
        members: { email_sent: true },
      });
    }
    const token = newToken(random);
    const link: NewOneTime = {
      id: newId(),
      purpose: 'password_reset',
      userId: user.id,
      subject: null,
      token,
      codeHash: null,
      payloadSealed: null,
      now: clock.now(),
      ttlMs: CODE_TTL_MS,
    };
    const reset = insertOneTimeFor(user, link, 'invalid_credentials');
    await commit(context, [...effects, reset]);
    return new Refusal('password_change_required', {
      members: { reset_token: token, expires_in: CODE_TTL_MS / 1000 },
    });
  };

  /**
   * Until when the user may sign in without a second factor; the presented factors were correct.
   */
  const enrolmentDue = async (
    context: Context,
    { user, effects }: VerifiedFactor,
  ): Promise<number> => {
    try {
      return grace.dueAt(user);
    } catch (error) {
      await commit(context, effects);
      throw error;
    }
  };

  const signedIn = async (
    context: Context,
    verified: Pick<VerifiedFactor, 'user' | 'effects' | 'deviceToken' | 'factor'>,
    presented: readonly PresentedFactor[],
    dueAt: number | null,
  ): Promise<Authenticated> => {
    const { user, effects, deviceToken } = verified;
    const begun: readonly Statement[] = dueAt === null ? [] : [beginEnrolmentGrace(user.id, dueAt)];
    const started = deps.sessions.start(context, { user, factors: presented });
    const { session, inserted, statements } = started;
    const record = recorded('sign_in.succeeded', 'a session was started', {
      'user.id': user.id,
      'user.name': signInNameOf(user),
      'session.id': session.id,
      factor: verified.factor,
      amr: amrOf(presented),
    });
    const done = await commit(context, [...effects, ...begun, ...statements, record]);
    const statusIndex = done.rowsOf(inserted)[0]?.statusIndex ?? null;
    return {
      status: 'authenticated',
      ...deps.issueTokens(context, user, { statusIndex, ...session }),
      deviceToken: deviceToken ?? deps.deviceTokens.mint(user),
      ...(dueAt === null ? {} : { mfaDueAt: dueAt }),
    };
  };

  const complete = async (
    context: Context,
    verified: VerifiedFactor,
    prior: Challenge | undefined,
    enrolled: readonly EnrolledFactor[],
  ): Promise<Authentication> => {
    const { user, device = null } = verified;
    const presented = [...(prior?.presented ?? []), presentedBy(verified)];
    const mustChange = verified.mustChange === true || prior?.mustChange === true;
    const next = nextStep(mfa, presented, enrolled);
    if (next.step === 'second_factor') {
      const { id: userId, epoch } = user;
      const challenge = { userId, epoch, device, mustChange, presented };
      return challenged(context, verified, challenge, next.factors);
    }
    // Only after all factors were presented: the token to set a new password requires all of them.
    if (mustChange || user.passwordChangeRequiredAt !== null) {
      throw await demandNewPassword(context, verified);
    }
    const dueAt = next.step === 'enrol' ? await enrolmentDue(context, verified) : null;
    return signedIn(context, verified, presented, dueAt);
  };

  const completeFactor: Authenticating['completeFactor'] = async (context, verified, prior) => {
    const { user } = verified;
    if (user.disabledAt !== null) throw new Refusal('account_disabled');
    if (prior !== undefined && (prior.userId !== user.id || prior.epoch !== user.epoch)) {
      throw signInIsOver();
    }
    return complete(context, verified, prior, await factors.enrolled(user.id));
  };

  const completeFactors: Authenticating['completeFactors'] = async (context, first, answer) => {
    const { user, device = null } = first;
    if (answer === null || user.disabledAt !== null) return completeFactor(context, first);
    const enrolled = await factors.enrolled(user.id);
    const presented = [presentedBy(first)];
    const next = nextStep(mfa, presented, enrolled);
    if (next.step !== 'second_factor' || !next.factors.includes(answer.factor.name)) {
      return complete(context, first, undefined, enrolled);
    }
    const id = newId();
    const second = await presentSecond(context, first, answer, id);
    const mustChange = first.mustChange === true;
    const prior = { id, userId: user.id, epoch: user.epoch, device, mustChange, presented };
    const effects = [...first.effects, ...second.effects];
    const { deviceToken } = first;
    const both = { ...second, effects, ...(deviceToken === undefined ? {} : { deviceToken }) };
    return complete(context, both, prior, enrolled);
  };

  const presentSecond = async (
    context: Context,
    { user, device, effects }: VerifiedFactor,
    answer: FactorAnswer,
    id: string,
  ): Promise<VerifiedFactor> => {
    const occasion = { kind: 'sign_in', id } as const;
    try {
      return await factors.present(context, {
        user,
        answer,
        occasion,
        scope: scopeOfDevice(device),
      });
    } catch (error) {
      // The first factor was correct, so its own counter must not count a failure.
      if (error instanceof Refusal) await commit(context, effects);
      throw error;
    }
  };

  return {
    completeFactor,
    completeFactors,
    startAnonymous: (context, user, effects) =>
      signedIn(context, { user, effects, factor: 'anonymous' }, [], null),
  };
}
