/**
 * What follows when access to a mailbox or telephone was proven: the sign-in of the account that has
 * its address or number, or a new account if there is none and the configuration allows it.
 */
import { recorded } from '../../core/audit/audited-event.ts';
import type { Context } from '../../core/context.ts';
import type { Authentication } from '../../core/factor/authentication.ts';
import type { VerifiedFactor } from '../../core/factor/factor.ts';
import type { PresentedFactor } from '../../core/factor/presented.ts';
import type { Kernel } from '../../core/kernel.ts';
import { spendOneTime } from '../../core/one-time/one-time.ts';
import type { OneTime } from '../../core/one-time/one-time.ts';
import { openPayload } from '../../core/one-time/payload.ts';
import { insertUser, newUser } from '../../core/user/user.ts';
import type { User } from '../../core/user/user.ts';
import { canonicalEmail } from '../../lib/email-address.ts';
import { Refusal } from '../../refusal.ts';
import type { RefusalCode } from '../../refusal.ts';
import { isToNumber } from './code-kind.ts';
import type { OtpSettings } from './settings.ts';

/** What was proven, and by which row. */
export interface ProvenAddress
  extends Pick<VerifiedFactor, 'effects' | 'device' | 'deviceToken'>,
    PresentedFactor {
  readonly sent: OneTime;
  /** The user of the row; null for an address that had no account. */
  readonly user: User | null;
  /** The refusal when the row was spent, or the account changed, meanwhile. */
  readonly over: RefusalCode;
}

/**
 * Its function throws {Refusal} `over`; account_disabled, password_change_required,
 * mfa_enrolment_required, rate_limited.
 */
export function provenAddress(kernel: Kernel, { autoRegister }: Pick<OtpSettings, 'autoRegister'>) {
  const { authentication, clock, limits, sealer } = kernel;

  const signIn = (context: Context, proven: ProvenAddress, user: User): Promise<Authentication> => {
    const { sent, over, effects, ...presented } = proven;
    // A code is void when the address changes; this is for a change that is not finished yet.
    const own = isToNumber(sent) ? user.phone : canonicalEmail(user.email ?? '');
    if (own !== sent.subject) throw new Refusal(over);
    const spent = spendOneTime(sent.id, clock.now(), over);
    return authentication.completeFactor(context, {
      ...presented,
      user,
      effects: [spent, ...effects],
    });
  };

  /** The address as it was typed. */
  const emailOf = (sent: OneTime): string => {
    const { email } = openPayload(sealer, sent);
    if (typeof email !== 'string' || canonicalEmail(email) !== sent.subject)
      throw new Error('a sign-in code of another address');
    return email;
  };

  /** If another account verified the address since the code was sent, its user asks for a new one. */
  const register = async (context: Context, proven: ProvenAddress): Promise<Authentication> => {
    const { sent, over, effects, ...presented } = proven;
    if (!autoRegister || sent.userId !== null) throw new Refusal(over);
    limits.demand('register', { kind: 'network', requester: context.requester });
    const now = clock.now();
    const named = isToNumber(sent) ? { phone: sent.subject } : { email: emailOf(sent) };
    const user = newUser({ id: kernel.newId(), createdAt: now, ...named });
    const names = {
      usernameCanonical: null,
      emailCanonical: isToNumber(sent) ? null : sent.subject,
      pendingEmailCanonical: null,
    };
    return authentication.completeFactor(context, {
      ...presented,
      user,
      effects: [
        spendOneTime(sent.id, now, over),
        insertUser(user, names, over),
        ...effects,
        recorded('user.registered', 'an account was registered', {
          'user.id': user.id,
          factor: proven.factor,
        }),
      ],
    });
  };

  return (context: Context, proven: ProvenAddress): Promise<Authentication> =>
    proven.user === null ? register(context, proven) : signIn(context, proven, proven.user);
}
