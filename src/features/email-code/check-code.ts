/**
 * Checking a code that came back. It allows five tries whatever the parallelism (O06); beyond that,
 * tries are counted for its address over all codes, with an account or without one, so that the
 * limit reveals nothing (E03) and a new code forgets no wrong ones (L04).
 */
import { scopeOfDevice } from '../../core/factor/authentication.ts';
import type { AttemptScope } from '../../core/attempt/attempts.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { typedCode } from '../../core/one-time/code.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { findUserById } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import { SIGN_IN_CODE } from './request-code.ts';
import type { EmailCodeSettings } from './settings.ts';

export interface TypedCode {
  readonly otpId: string;
  readonly code: string;
  readonly deviceToken?: string | undefined;
  /** Whose counter applies, if it is not that of the device. */
  readonly scope?: AttemptScope;
}

export interface CheckedCode {
  readonly sent: OneTime;
  /** Null for an address that had no account. */
  readonly user: User | null;
  /** The known device that presents it. */
  readonly device: string | null;
  /** Resets the counter. */
  readonly forget: Statement;
}

/** Refusals that are no guess. */
const NOT_COMPARED: ReadonlySet<string> = new Set([
  'too_many_attempts',
  'overloaded',
  'rate_limited',
]);

/**
 * Checks a code, and goes on with `use` if it is right.
 *
 * Its function throws {Refusal} invalid_code, too_many_attempts, overloaded, and what `use` throws.
 */
export function checkCode(kernel: Kernel, { form }: Pick<EmailCodeSettings, 'form'>) {
  const { db, oneTimes, attempts, passwordHasher, signingKeys, deviceTokens } = kernel;

  /** @throws {Refusal} invalid_code */
  const look = async (
    context: Context,
    { otpId, code }: TypedCode,
    sent: OneTime | null,
  ): Promise<void> => {
    const job = hashJob(context, hashShare('sign_in_code', otpId));
    const typed = typedCode(code, form);
    const { ok } = await passwordHasher.verify(sent?.codeHash ?? null, typed, job);
    if (!ok || sent === null) throw new Refusal('invalid_code');
  };

  const checked = async (
    context: Context,
    input: TypedCode,
    sent: OneTime,
  ): Promise<CheckedCode> => {
    const { deviceToken } = input;
    // For an address without an account the same row is looked for, and not found.
    const user = await findUserById(db, sent.userId ?? '');
    const isKnown = user !== null && deviceToken !== undefined;
    const device = isKnown ? deviceTokens.deviceOf(deviceToken, user) : null;
    const key = {
      purpose: 'sign_in_code',
      subject: keyedHash(signingKeys.derivedKey, 'sign-in code', sent.subject ?? ''),
      ownerUserId: user?.id ?? null,
      scope: input.scope ?? scopeOfDevice(device),
    } as const;
    const { forget } = await attempts.guard(key, () => look(context, input, sent));
    return { sent, user, device, forget };
  };

  return async <T>(
    context: Context,
    input: TypedCode,
    use: (checked: CheckedCode) => Promise<T>,
  ): Promise<T> => {
    const sent = await oneTimes.countTry(SIGN_IN_CODE, input.otpId);
    // Nothing is counted for a code that is unknown, spent or expired; the work is the same.
    if (sent === null) {
      await look(context, input, null);
      throw new Refusal('invalid_code');
    }
    try {
      return await use(await checked(context, input, sent));
    } catch (error) {
      const wasCompared = error instanceof Refusal && !NOT_COMPARED.has(error.code);
      if (!wasCompared) await oneTimes.giveTryBack(sent.id);
      throw error;
    }
  };
}
