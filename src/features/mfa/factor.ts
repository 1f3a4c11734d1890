/** Recovery codes as a factor: something had, good once each, that asks for nothing by itself. */
import type { App, FeatureFactor } from '../../app/capabilities.ts';
import * as z from 'zod';
import { Refusal } from '../../refusal.ts';
import type { VerifiedFactor } from '../../core/factor/factor.ts';
import { tell } from '../../core/email/email.ts';
import {
  countRecoveryCodes,
  findRecoveryCode,
  parseRecoveryCode,
  secondAccount,
  spendRecoveryCode,
} from '../../core/factor/recovery-code.ts';
import { networkOf } from '../../core/session/requester.ts';
import type { Requester } from '../../core/session/requester.ts';
import type { User } from '../../core/user/user.ts';

async function verifyRecoveryCode(
  app: App,
  user: User,
  code: string,
  requester: Requester,
  signal: AbortSignal,
): Promise<VerifiedFactor> {
  const parsed = parseRecoveryCode(code);
  const stored = parsed === null ? null : await findRecoveryCode(app.db, user.id, parsed.selector);
  // A selector that nobody has costs a hash all the same.
  const { ok } = await app.hasher.verify(stored, parsed?.secret ?? 'not a code', {
    account: secondAccount(user.id),
    client: networkOf(requester),
    signal,
  });
  if (!ok || parsed === null || stored === null) throw new Refusal('invalid_credentials');
  const left = (await countRecoveryCodes(app.db, user.id)) - 1;
  return {
    factor: 'recovery_code',
    kind: 'device',
    amr: ['otp'],
    user,
    effects: [
      spendRecoveryCode({ userId: user.id, selector: parsed.selector, codeHash: stored }),
      ...tell(
        app,
        'recovery_code_used',
        user.email,
        { address: requester.ip ?? 'unknown', left: String(left) },
        requester,
      ),
    ],
  };
}

export function recoveryCodeFactor(app: App): FeatureFactor {
  return {
    name: 'recovery_code',
    kind: 'device',
    demandsSecond: false,
    enrolled: async (userId) => (await countRecoveryCodes(app.db, userId)) > 0,
    verify: (user, answer, _occasion, requester, signal) => {
      if (answer.factor !== 'recovery_code') throw new Refusal('invalid_credentials');
      return verifyRecoveryCode(app, user, answer.code, requester, signal);
    },
    listing: {
      shape: { recovery_codes_left: z.number().int() },
      list: async (user) => ({ recovery_codes_left: await countRecoveryCodes(app.db, user.id) }),
    },
  };
}
