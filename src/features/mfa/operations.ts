/** The second step of a sign-in, the renewal of a session by any factor, and recovery codes. */
import type { App } from '../../app/capabilities.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import { completeFactor } from '../../core/factor/authentication.ts';
import type { Authenticated, Authentication } from '../../core/factor/authentication.ts';
import {
  MAX_CHALLENGE_TRIES,
  countChallengeTry,
  spendChallenge,
  uncountChallengeTry,
} from '../../core/factor/challenge.ts';
import type { Answer } from '../../core/factor/factor.ts';
import { changeFactors } from '../../core/factor/factor-change.ts';
import { pendingSignIn } from '../../core/factor/pending-sign-in.ts';
import { reauthenticate } from '../../core/factor/reauthentication.ts';
import { nextStep } from '../../core/factor/next-step.ts';
import { newRecoveryCodes, replaceRecoveryCodes } from '../../core/factor/recovery-code.ts';
import { networkOf } from '../../core/session/requester.ts';
import type { Requester } from '../../core/session/requester.ts';
import { enrolledFactors, hasSecondFactor, verifyAnswer } from '../../core/factor/second-factor.ts';
import type { Principal } from '../../core/session/session.ts';

/**
 * Goes on with a pending sign-in: five tries, one success.
 *
 * @throws {Refusal} invalid_credentials; invalid_token: the pending sign-in is over;
 *   too_many_attempts, overloaded
 */
export async function showSecondFactor(
  app: App,
  token: string,
  answer: Answer,
  requester: Requester,
  signal: AbortSignal,
): Promise<Authentication> {
  const { challenge, user } = await pendingSignIn(app, token);
  const next = nextStep(app.policy.mfa, challenge.shown, await enrolledFactors(app, user.id));
  if (next.step !== 'second_factor') throw new Refusal('invalid_token');
  if (!next.factors.includes(answer.factor))
    throw invalidRequest({
      pointer: `/${answer.factor}`,
      code: 'not_due',
      detail: `This sign-in goes on with ${next.factors.join(' or ')}.`,
    });
  if (!(await countChallengeTry(app.db, challenge.id, app.clock.now(), MAX_CHALLENGE_TRIES)))
    throw new Refusal('invalid_token');
  let verified;
  try {
    verified = await verifyAnswer(
      app,
      { user, answer, occasion: { kind: 'sign_in', id: challenge.id }, apart: challenge.device },
      requester,
      signal,
    );
  } catch (error) {
    // Nobody looked at it: the challenge keeps its tries.
    if (!(error instanceof Refusal) || error.code !== 'invalid_credentials')
      await app.db.write([uncountChallengeTry(challenge.id)]);
    throw error;
  }
  return completeFactor(
    app,
    { ...verified, effects: [spendChallenge(challenge.id, app.clock.now()), ...verified.effects] },
    requester,
    challenge,
  );
}

/**
 * Shows a factor again within a session.
 *
 * @throws {Refusal} invalid_credentials, insufficient_user_authentication, mfa_enrolment_required,
 *   session_revoked, too_many_attempts, overloaded
 */
export async function showAgain(
  app: App,
  principal: Principal,
  answer: Answer,
  requester: Requester,
  signal: AbortSignal,
): Promise<Authenticated> {
  const { user, session } = principal;
  // Sessions that showed no second factor are made with the password alone, as many as one likes:
  // they count with the account (N5).
  const apart =
    answer.factor === 'password' || session.amr.includes('mfa') ? `s${session.id}` : null;
  const verified = await verifyAnswer(
    app,
    { user, answer, occasion: { kind: 'session', id: session.id }, apart },
    requester,
    signal,
  );
  return reauthenticate(app, principal, verified, requester);
}

/**
 * A new set of recovery codes in the place of the old one.
 *
 * @throws {Refusal} no_second_factor: there is nothing that they could stand in for; conflict,
 *   overloaded
 */
export async function renewRecoveryCodes(
  app: App,
  principal: Principal,
  requester: Requester,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { user, session } = principal;
  if (!(await hasSecondFactor(app, user.id))) throw new Refusal('no_second_factor');
  const codes = newRecoveryCodes(app.random);
  const statements = await replaceRecoveryCodes(app.hasher, user.id, codes, app.clock.now(), {
    client: networkOf(requester),
    signal,
  });
  await changeFactors(
    app,
    principal,
    {
      statements,
      amr: session.amr,
      letter: 'recovery_codes_renewed',
      factor: 'recovery codes',
      name: 'recovery_code',
      event: 'factor.renewed',
    },
    requester,
  );
  return codes;
}
