/** Presenting the second factor of a pending sign-in: POST /login/mfa. */
import type { Context } from '../../core/context.ts';
import { scopeOfDevice } from '../../core/factor/authentication.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import { MAX_CHALLENGE_TRIES, spendChallenge } from '../../core/factor/challenge.ts';
import type { FactorAnswer, VerifiedFactor } from '../../core/factor/factor.ts';
import { nextStep } from '../../core/factor/next-step.ts';
import { signInIsOver } from '../../core/factor/pending-sign-in.ts';
import type { Challenge } from '../../core/token/challenge-token.ts';
import type { Kernel } from '../../core/kernel.ts';
import type { User } from '../../core/user/user.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';

export interface SecondFactorInput {
  readonly challengeToken: string;
  readonly answer: FactorAnswer;
}

const GO_ON = 'Try again.';
const SIGN_IN_AGAIN = 'That was the last try of this sign-in: sign in again.';

/**
 * A client with the challenge already knows that the first factor was correct; saying so keeps the
 * user from changing a correct password.
 */
function wrongAnswer(refused: Refusal, { presented }: Challenge, whatNext: string): Refusal {
  const first = presented.map(({ factor }) => factor).join(' and ');
  const wrong = refused.options.detail ?? 'The second factor is wrong, or was used already.';
  return new Refusal('invalid_credentials', {
    ...refused.options,
    detail: `${wrong} The ${first} was right. ${whatNext}`,
    cause: refused.options.cause ?? refused,
  });
}

/**
 * Continues a pending sign-in: five tries, one success.
 *
 * Its function throws {Refusal} invalid_credentials; invalid_token: the pending sign-in has ended;
 * invalid_request, too_many_attempts, overloaded.
 */
export function presentSecondFactor(kernel: Kernel) {
  const { factors, challenges, mfa } = kernel;

  const present = async (
    context: Context,
    challenge: Challenge,
    user: User,
    answer: FactorAnswer,
  ): Promise<VerifiedFactor> => {
    const occasion = { kind: 'sign_in', id: challenge.id } as const;
    const scope = scopeOfDevice(challenge.device);
    try {
      return await factors.present(context, { user, answer, occasion, scope });
    } catch (error) {
      if (error instanceof Refusal && error.code === 'invalid_credentials') {
        const canGoOn = await challenges.isOpen(challenge.id, MAX_CHALLENGE_TRIES);
        throw wrongAnswer(error, challenge, canGoOn ? GO_ON : SIGN_IN_AGAIN);
      }
      // The answer was not checked: don't count the try.
      await challenges.giveTryBack(challenge.id);
      throw error;
    }
  };

  return async (
    context: Context,
    { challengeToken, answer }: SecondFactorInput,
  ): Promise<Authentication> => {
    const { challenge, user } = await kernel.findPendingSignIn(challengeToken);
    const { name } = answer.factor;
    const next = nextStep(mfa, challenge.presented, await factors.enrolled(user.id));
    if (next.step !== 'second_factor') throw signInIsOver();
    if (!next.factors.includes(name)) {
      const detail = `This sign-in needs ${next.factors.join(' or ')} next.`;
      throw invalidRequest({ pointer: `/${name}`, code: 'not_due', detail });
    }
    if (!(await challenges.countTry(challenge.id, MAX_CHALLENGE_TRIES))) {
      throw signInIsOver();
    }
    const verified = await present(context, challenge, user, answer);
    const spent = spendChallenge(challenge.id, kernel.clock.now());
    const effects = [spent, ...verified.effects];
    return kernel.authentication.completeFactor(context, { ...verified, effects }, challenge);
  };
}
