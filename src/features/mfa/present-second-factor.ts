/** Presenting the second factor of a pending sign-in: POST /login/mfa. */
import type { Context } from '../../core/context.ts';
import { scopeOfDevice } from '../../core/factor/authentication.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import { MAX_CHALLENGE_TRIES, spendChallenge } from '../../core/factor/challenge.ts';
import type { FactorAnswer, VerifiedFactor } from '../../core/factor/factor.ts';
import { nextStep } from '../../core/factor/next-step.ts';
import type { Kernel } from '../../core/kernel.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';

export interface SecondFactorInput {
  readonly challengeToken: string;
  readonly answer: FactorAnswer;
}

/**
 * Continues a pending sign-in: five tries, one success.
 *
 * Its function throws {Refusal} invalid_credentials; invalid_token: the pending sign-in is over;
 * invalid_request, too_many_attempts, overloaded.
 */
export function presentSecondFactor(kernel: Kernel) {
  const { factors, challenges, mfa } = kernel;
  return async (
    context: Context,
    { challengeToken, answer }: SecondFactorInput,
  ): Promise<Authentication> => {
    const { challenge, user } = await kernel.findPendingSignIn(challengeToken);
    const { name } = answer.factor;
    const next = nextStep(mfa, challenge.presented, await factors.enrolled(user.id));
    if (next.step !== 'second_factor') throw new Refusal('invalid_token');
    if (!next.factors.includes(name)) {
      const detail = `This sign-in goes on with ${next.factors.join(' or ')}.`;
      throw invalidRequest({ pointer: `/${name}`, code: 'not_due', detail });
    }
    if (!(await challenges.countTry(challenge.id, MAX_CHALLENGE_TRIES))) {
      throw new Refusal('invalid_token');
    }
    const occasion = { kind: 'sign_in', id: challenge.id } as const;
    const scope = scopeOfDevice(challenge.device);
    let verified: VerifiedFactor;
    try {
      verified = await factors.present(context, { user, answer, occasion, scope });
    } catch (error) {
      // Nobody looked at it: the challenge keeps its tries.
      const isWrong = error instanceof Refusal && error.code === 'invalid_credentials';
      if (!isWrong) await challenges.giveTryBack(challenge.id);
      throw error;
    }
    const spent = spendChallenge(challenge.id, kernel.clock.now());
    const effects = [spent, ...verified.effects];
    return kernel.authentication.completeFactor(context, { ...verified, effects }, challenge);
  };
}
