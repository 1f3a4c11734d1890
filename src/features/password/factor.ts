/**
 * The password as a factor of the kind knowledge: the first factor of most sign-ins, and the second
 * one after a passkey that did not verify its user.
 */
import type { Factor } from '../../core/factor/factor.ts';
import type { Kernel } from '../../core/kernel.ts';
import { findPassword } from '../../core/password/credential.ts';
import { PRESENTED_PASSWORD, hashShare } from '../../core/password/passwords.ts';
import { passwordText } from '../../http/fields.ts';

export function passwordFactor({ db, passwords }: Kernel): Factor<string> {
  return {
    name: PRESENTED_PASSWORD.factor,
    kind: PRESENTED_PASSWORD.kind,
    section: 'password',
    demandsSecond: false,
    attemptPurpose: 'password',
    answer: passwordText().meta({ description: 'After a passkey that did not verify its user.' }),
    enrolled: async (userId) => (await findPassword(db, userId)) !== null,
    verify: async (context, user, password) => {
      const share = hashShare('password', user.id);
      const right = await passwords.look(context, user, password, share);
      return {
        user,
        ...PRESENTED_PASSWORD,
        mustChange: right.isTooOld,
        effects: right.upgrade,
      };
    },
    // Not a second factor, so an operator's removal keeps it.
    removeAll: () => [],
    inUse: async () => true,
  };
}
