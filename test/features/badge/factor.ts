/** The number of a badge as a second factor. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import type { Factor, FactorRecords } from '../../../src/core/factor/factor.ts';
import type { Kernel } from '../../../src/core/kernel.ts';
import { constantTimeEqual } from '../../../src/crypto/secret.ts';
import { Refusal } from '../../../src/refusal.ts';
import { anyBadge, badgeOf, removeBadge } from './store.ts';

export const PRESENTED = { factor: 'badge', kind: 'external', amr: ['hwk'] } as const;

export const hashOf = (number: string): string =>
  createHash('sha256').update(number).digest('base64url');

function badgeRecords({ db }: Kernel): FactorRecords {
  return {
    name: PRESENTED.factor,
    section: 'badge',
    removeAll: (userId) => [removeBadge({ userId })],
    inUse: async () => (await db.read(anyBadge())).length > 0,
  };
}

export function badgeFactor(kernel: Kernel): Factor<string> {
  const find = async (userId: string) => (await kernel.db.read(badgeOf({ userId })))[0];
  return {
    ...badgeRecords(kernel),
    kind: PRESENTED.kind,
    demandsSecond: true,
    attemptPurpose: 'second_factor',
    answer: z.string().max(64).meta({ description: 'The number on the badge.' }),
    enrolled: async (userId) => (await find(userId)) !== undefined,
    verify: async (_, user, number) => {
      const stored = await find(user.id);
      if (stored === undefined || !constantTimeEqual(stored.numberHash, hashOf(number))) {
        throw new Refusal('invalid_credentials');
      }
      return { ...PRESENTED, user, effects: [] };
    },
    listing: {
      shape: { badge: z.boolean() },
      list: async ({ id }) => ({ badge: (await find(id)) !== undefined }),
    },
  };
}
