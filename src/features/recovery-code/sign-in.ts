/**
 * Signing in with a name and a recovery code, for an account whose passkey is lost. The code stands
 * for the passkey, so it begins a sign-in only where a passkey can; a password of the account is
 * still asked for.
 */
import type { Context } from '../../core/context.ts';
import { scopeOfDevice } from '../../core/factor/authentication.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import type { Kernel } from '../../core/kernel.ts';
import { parseSignInName } from '../../core/user/sign-in-name.ts';
import { findUserBySignInName, newUser } from '../../core/user/user.ts';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import { Refusal } from '../../refusal.ts';
import { PRESENTED, recoveryCodeFactor } from './factor.ts';

/** Nobody's: the same work is done for a name without an account. */
const NOBODY = newUser({ id: '', createdAt: 0 });

export interface RecoverySignIn {
  readonly username: string;
  readonly code: string;
  readonly deviceToken: string | undefined;
}

/**
 * Signs in; every failure gets the same answer (E01).
 *
 * Its function throws {Refusal} invalid_credentials; account_disabled and password_change_required
 * only after a correct code; too_many_attempts, overloaded.
 */
export function signInWithRecoveryCode(kernel: Kernel) {
  const { db, attempts, authentication, factors, signingKeys, deviceTokens } = kernel;
  const factor = recoveryCodeFactor(kernel);

  /** Whether a passkey, or another factor of its kind, could begin the sign-in. */
  const replacesFirst = async (userId: string): Promise<boolean> => {
    const first = factors.active.filter(({ accountCredential }) => accountCredential !== undefined);
    return (await Promise.all(first.map((one) => one.enrolled(userId)))).includes(true);
  };

  const verify = async (
    context: Context,
    { username, code, deviceToken }: RecoverySignIn,
  ): Promise<Authentication> => {
    const name = parseSignInName(username);
    const user = await findUserBySignInName(db, name);
    const device =
      user === null || deviceToken === undefined ? null : deviceTokens.deviceOf(deviceToken, user);
    const key = {
      purpose: 'recovery_sign_in',
      subject: keyedHash(signingKeys.derivedKey, 'recovery sign-in', name.canonical),
      ownerUserId: user?.id ?? null,
      scope: scopeOfDevice(device),
    } as const;
    const { value, forget } = await attempts.guard(key, async () => {
      const canBegin = await replacesFirst((user ?? NOBODY).id);
      const occasion = { kind: 'sign_in', id: '' } as const;
      const verified = await factor.verify(context, user ?? NOBODY, code, occasion);
      if (user === null || !canBegin) throw new Refusal('invalid_credentials');
      return verified;
    });
    return authentication.completeFactor(context, {
      ...value,
      device,
      effects: [forget, ...value.effects],
      ...(device === null || deviceToken === undefined ? {} : { deviceToken }),
    });
  };

  return async (context: Context, input: RecoverySignIn): Promise<Authentication> => {
    try {
      return await verify(context, input);
    } catch (error) {
      if (error instanceof Refusal)
        context.log.write(
          error.code === 'too_many_attempts' ? 'warn' : 'info',
          'sign_in.failed',
          'a sign-in was refused',
          { factor: PRESENTED.factor, 'error.type': error.code },
        );
      throw error;
    }
  };
}
