/**
 * The password as a factor: what is known. It is the first factor of most sign-ins, and the second
 * one after a passkey that didn't verify its user.
 */
import type { App } from '../../app/capabilities.ts';
import type { Factor } from '../../core/factor/factor.ts';
import { networkOf } from '../../core/session/requester.ts';
import { Refusal } from '../../refusal.ts';
import { FACTOR, isTooOld, lookAtPassword } from './operations.ts';
import { findPassword, upgradePassword } from '../../core/password/credential.ts';

export function passwordFactor(app: App): Factor {
  return {
    name: 'password',
    kind: 'knowledge',
    demandsSecond: false,
    enrolled: async (userId) => (await findPassword(app.db, userId)) !== null,
    verify: async (user, answer, _occasion, requester, signal) => {
      if (answer.factor !== 'password') throw new Refusal('invalid_credentials');
      const { stored, rehash, changedAt } = await lookAtPassword(app, user, answer.password, {
        account: user.id,
        client: networkOf(requester),
        signal,
      });
      return {
        ...FACTOR,
        user,
        mustChange: isTooOld(app, { changedAt }),
        effects:
          rehash === null ? [] : [upgradePassword({ userId: user.id, seen: stored, next: rehash })],
      };
    },
  };
}
