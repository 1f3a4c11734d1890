/** Signing in with a code that was sent by email. */
import { scopeOfDevice } from '../../core/factor/authentication.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import type { PresentedFactor } from '../../core/factor/presented.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { typedCode } from '../../core/one-time/code.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { findUserById } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import { Refusal } from '../../refusal.ts';
import { provenMailbox } from './proven-mailbox.ts';
import { SIGN_IN_CODE } from './request-code.ts';
import type { EmailCodeSettings } from './settings.ts';

const PRESENTED_CODE: PresentedFactor = { factor: 'email_code', kind: 'mailbox', amr: ['otp'] };

export interface CodeSignIn {
  readonly otpId: string;
  readonly code: string;
  readonly deviceToken: string | undefined;
}

/** The user of a code, and the known device that presents it. */
interface Presenter {
  readonly user: User | null;
  readonly device: string | null;
}

/**
 * Signs in. A code allows five tries whatever the parallelism (O06); beyond that, tries are counted
 * for its address over all codes, with an account or without one, so that the limit reveals nothing
 * (E03) and a new code forgets no wrong ones (L04).
 *
 * Its function throws {Refusal} invalid_code; account_disabled, password_change_required,
 * mfa_enrolment_required and rate_limited only after a correct code; too_many_attempts, overloaded.
 */
export function signInWithCode(kernel: Kernel, settings: EmailCodeSettings) {
  const { db, oneTimes, attempts, passwordHasher, signingKeys, deviceTokens } = kernel;
  const complete = provenMailbox(kernel, settings);

  /** @throws {Refusal} invalid_code */
  const look = async (
    context: Context,
    { otpId, code }: CodeSignIn,
    sent: OneTime | null,
  ): Promise<OneTime> => {
    const job = hashJob(context, hashShare('sign_in_code', otpId));
    const typed = typedCode(code, settings.form);
    const { ok } = await passwordHasher.verify(sent?.codeHash ?? null, typed, job);
    if (!ok || sent === null) throw new Refusal('invalid_code');
    return sent;
  };

  /** For an address without an account the same row is looked for, and not found. */
  const presenterOf = async (sent: OneTime, { deviceToken }: CodeSignIn): Promise<Presenter> => {
    const user = await findUserById(db, sent.userId ?? '');
    const isKnown = user !== null && deviceToken !== undefined;
    return { user, device: isKnown ? deviceTokens.deviceOf(deviceToken, user) : null };
  };

  const present = async (
    context: Context,
    input: CodeSignIn,
    sent: OneTime,
  ): Promise<Authentication> => {
    const { user, device } = await presenterOf(sent, input);
    const canonical = sent.subject ?? '';
    const key = {
      purpose: 'sign_in_code',
      subject: keyedHash(signingKeys.derivedKey, 'sign-in code', canonical),
      ownerUserId: user?.id ?? null,
      scope: scopeOfDevice(device),
    } as const;
    const { forget } = await attempts.guard(key, () => look(context, input, sent));
    const { deviceToken } = input;
    return complete(context, {
      ...PRESENTED_CODE,
      sent,
      user,
      device,
      over: 'invalid_code',
      effects: [forget],
      ...(device === null || deviceToken === undefined ? {} : { deviceToken }),
    });
  };

  const verify = async (context: Context, input: CodeSignIn): Promise<Authentication> => {
    const sent = await oneTimes.countTry(SIGN_IN_CODE, input.otpId);
    // Nothing is counted for a code that is unknown, spent or expired; the work is the same.
    if (sent === null) {
      await look(context, input, null);
      throw new Refusal('invalid_code');
    }
    try {
      return await present(context, input, sent);
    } catch (error) {
      const wasCompared = error instanceof Refusal && !NOT_COMPARED.has(error.code);
      if (!wasCompared) await oneTimes.giveTryBack(sent.id);
      throw error;
    }
  };

  return async (context: Context, input: CodeSignIn): Promise<Authentication> => {
    try {
      return await verify(context, input);
    } catch (error) {
      if (error instanceof Refusal)
        context.log.write('info', 'sign_in.failed', 'a sign-in was refused', {
          factor: PRESENTED_CODE.factor,
          'error.type': error.code,
        });
      throw error;
    }
  };
}

/** Refusals that are no guess. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  'too_many_attempts',
  'overloaded',
  'rate_limited',
]);
