/** Codes of an authenticator app as a factor: of the kind device, one code per time step. */
import * as z from 'zod';
import type { Factor, FactorRecords } from '../../core/factor/factor.ts';
import type { Kernel } from '../../core/kernel.ts';
import { SealError } from '../../crypto/seal.ts';
import { codeText, rfc3339, timestamp } from '../../http/fields.ts';
import { Refusal } from '../../refusal.ts';
import { PRESENTED, sealPurpose } from './authenticators.ts';
import type { TotpSettings } from './authenticators.ts';
import { matchingStep } from './code.ts';
import { acceptStep, findTotp, isAnyTotp, removeTotp } from './store.ts';

const Totp = z
  .object({ created_at: timestamp, last_used_at: timestamp.nullable() })
  .meta({ id: 'Totp' });

export function totpRecords({ db }: Kernel): FactorRecords {
  return {
    name: PRESENTED.factor,
    section: 'totp',
    removeAll: (userId) => removeTotp(userId),
    inUse: () => isAnyTotp(db),
  };
}

export function totpFactor(kernel: Kernel, { window }: TotpSettings): Factor<string> {
  const { db, clock, sealer } = kernel;
  return {
    ...totpRecords(kernel),
    kind: PRESENTED.kind,
    demandsSecond: true,
    attemptPurpose: 'second_factor',
    answer: codeText.meta({ description: 'The six digits of the authenticator app.' }),
    withPassword: {
      description: 'The six digits of the authenticator app, which saves the second request.',
    },
    enrolled: async (userId) => (await findTotp(db, userId)) !== null,
    verify: async (context, user, code) => {
      const stored = await findTotp(db, user.id);
      if (stored === null) throw new Refusal('invalid_credentials');
      const place = sealPurpose(user.id);
      let secret: Buffer;
      try {
        secret = sealer.open(place, stored.secretSealed);
      } catch (cause) {
        if (!(cause instanceof SealError)) throw cause;
        // A damaged row is refused like a wrong code; the user's other factors still work.
        context.log.write('error', 'factor.unreadable', 'a stored seed could not be opened', {
          'user.id': user.id,
          factor: PRESENTED.factor,
          reason: cause.code,
        });
        throw new Refusal('invalid_credentials', { cause });
      }
      const now = clock.now();
      const { lastStep, createdAt } = stored;
      const step = matchingStep(secret, code.replaceAll(' ', ''), { now, window, lastStep });
      if (step === null) throw new Refusal('invalid_credentials');
      // Re-seal a seed with the current key, since there is a write anyway.
      const secretSealed = sealer.isCurrent(stored.secretSealed)
        ? stored.secretSealed
        : sealer.seal(place, secret);
      const accepted = acceptStep({ userId: user.id, step, createdAt, secretSealed, now });
      return { ...PRESENTED, user, effects: [accepted] };
    },
    listing: {
      shape: { totp: Totp.nullable() },
      list: async (user) => {
        const stored = await findTotp(db, user.id);
        if (stored === null) return { totp: null };
        const { createdAt, lastUsedAt } = stored;
        return {
          totp: {
            created_at: rfc3339(createdAt),
            last_used_at: lastUsedAt === null ? null : rfc3339(lastUsedAt),
          },
        };
      },
    },
  };
}
