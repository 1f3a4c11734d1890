/**
 * Recovery codes as a factor: of the kind device, each usable once; having them does not make a
 * second factor required.
 */
import * as z from 'zod';
import type { Context } from '../../core/context.ts';
import type { BackupCodes, Factor, FactorRecords } from '../../core/factor/factor.ts';
import { placeOf } from '../../core/factor/factors.ts';
import type { Kernel } from '../../core/kernel.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import type { Statement } from '../../db/database.ts';
import { codeText } from '../../http/fields.ts';
import { Refusal } from '../../refusal.ts';
import { formatRecoveryCode, newRecoveryCodes, parseRecoveryCode } from './codes.ts';
import {
  countRecoveryCodes,
  findRecoveryCode,
  insertRecoveryCode,
  isAnyRecoveryCode,
  removeRecoveryCodes,
  spendRecoveryCode,
} from './store.ts';

export const PRESENTED = { factor: 'recovery_code', kind: 'device', amr: ['otp'] } as const;

export function recoveryCodeRecords({ db }: Kernel): FactorRecords {
  return {
    name: PRESENTED.factor,
    section: 'mfa',
    removeAll: (userId) => [removeRecoveryCodes(userId)],
    inUse: () => isAnyRecoveryCode(db),
  };
}

/** A new set that replaces the old one. @throws {Refusal} overloaded */
async function renewBackup(
  { passwordHasher, clock, random }: Kernel,
  context: Context,
  userId: string,
): Promise<BackupCodes> {
  const codes = newRecoveryCodes(random);
  const job = hashJob(context, hashShare('unguessable_factor', userId));
  const now = clock.now();
  const statements: Statement[] = [removeRecoveryCodes(userId)];
  // Sequentially, so that the account's share of the hash queue stays free for its sign-ins.
  for (const { selector, secret } of codes) {
    const codeHash = await passwordHasher.hash(secret, job);
    statements.push(insertRecoveryCode({ userId, selector, codeHash, now }));
  }
  return { statements, codes: codes.map(formatRecoveryCode) };
}

export function recoveryCodeFactor(kernel: Kernel): Factor<string> {
  const { db, emails, passwordHasher } = kernel;
  return {
    ...recoveryCodeRecords(kernel),
    kind: PRESENTED.kind,
    demandsSecond: false,
    attemptPurpose: 'unguessable_factor',
    answer: codeText.meta({
      description: 'One of the ten; case, spaces and hyphens do not count.',
    }),
    enrolled: async (userId) => (await countRecoveryCodes(db, userId)) > 0,
    verify: async (context, user, code) => {
      const parsed = parseRecoveryCode(code);
      const codeHash =
        parsed === null ? null : await findRecoveryCode(db, user.id, parsed.selector);
      const job = hashJob(context, hashShare('unguessable_factor', user.id));
      // An unused selector costs a hash too, so that the time is the same.
      const { ok } = await passwordHasher.verify(codeHash, parsed?.secret ?? 'not a code', job);
      if (!ok || parsed === null || codeHash === null) throw new Refusal('invalid_credentials');
      const left = (await countRecoveryCodes(db, user.id)) - 1;
      const values = { address: placeOf(context), left: String(left) };
      return {
        ...PRESENTED,
        user,
        effects: [
          spendRecoveryCode({ userId: user.id, selector: parsed.selector, codeHash }),
          ...emails.notify(context, { template: 'recovery_code_used', to: user.email, values }),
        ],
      };
    },
    listing: {
      shape: { recovery_codes_left: z.number().int() },
      list: async ({ id }) => ({ recovery_codes_left: await countRecoveryCodes(db, id) }),
    },
    renewBackup: (context, userId) => renewBackup(kernel, context, userId),
  };
}
