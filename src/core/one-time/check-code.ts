/**
 * Checking a code that came back. It allows five tries whatever the parallelism (O06); beyond that,
 * tries are counted over all codes of its address, number or account, with an account or without
 * one, so that the limit reveals nothing (E03) and a new code forgets no wrong ones (L04).
 */
import type { Statement } from '../../db/database.ts';
import { Refusal } from '../../refusal.ts';
import type { AttemptKey, AttemptScope } from '../attempt/attempts.ts';
import type { Context } from '../context.ts';
import { scopeOfDevice } from '../factor/authentication.ts';
import type { Kernel } from '../kernel.ts';
import { hashJob, hashShare } from '../password/passwords.ts';
import { findUserById } from '../user/user.ts';
import type { User } from '../user/user.ts';
import { typedCode } from './code.ts';
import type { CodeForm } from './code.ts';
import type { OneTime, OneTimePurpose } from './one-time.ts';

/** Which codes, and which counter covers all of one subject's. */
export interface CodeKind {
  readonly purpose: OneTimePurpose;
  readonly form: CodeForm;
  counterOf(sent: OneTime, context: Context): Pick<AttemptKey, 'purpose' | 'subject'>;
  /** Called for each refusal; null for a code that is unknown, spent or expired. */
  onRefused?(context: Context, refusal: Refusal, sent: OneTime | null): void;
}

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
export function checkCode(kernel: Kernel, kind: CodeKind) {
  const { purpose, form } = kind;
  const { db, oneTimes, attempts, passwordHasher, deviceTokens } = kernel;

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
      ...kind.counterOf(sent, context),
      ownerUserId: user?.id ?? null,
      scope: input.scope ?? scopeOfDevice(device),
    };
    const { forget } = await attempts.guard(key, () => look(context, input, sent));
    return { sent, user, device, forget };
  };

  /** Of a code whose try was counted. */
  const checkSent = async <T>(
    context: Context,
    input: TypedCode,
    sent: OneTime | null,
    use: (checked: CheckedCode) => Promise<T>,
  ): Promise<T> => {
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
  return async <T>(
    context: Context,
    input: TypedCode,
    use: (checked: CheckedCode) => Promise<T>,
  ): Promise<T> => {
    const sent = await oneTimes.countTry(purpose, input.otpId);
    try {
      return await checkSent(context, input, sent, use);
    } catch (error) {
      if (error instanceof Refusal) kind.onRefused?.(context, error, sent);
      throw error;
    }
  };
}
