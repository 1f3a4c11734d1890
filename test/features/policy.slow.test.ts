/** What hostile passwords cost (P01, ASVS 1.3.12). */
import { readFileSync } from 'node:fs';
import { test } from 'vitest';
import { OUTPUT } from '../../scripts/build-common-passwords.mjs';
import { commonPasswords } from '../../src/core/password/common-passwords.ts';
import { normalizePassword, passwordFaults } from '../../src/core/password/policy.ts';
import type { PasswordContext, PasswordPolicy } from '../../src/core/password/policy.ts';
import { passwordScore } from '../../src/core/password/score.ts';
import { expectWithin } from '../support/best.ts';

const policy: PasswordPolicy = { minLength: 8, common: commonPasswords(readFileSync(OUTPUT)) };

test.each([
  ['a million characters', '\u4e00\u5e00'.repeat(500_000)],
  ['a megabyte of combining marks', '\u0301\u0316'.repeat(500_000)],
])('%s are refused within 50 ms', (_, password) =>
  expectWithin(50, () => {
    normalizePassword(password);
    passwordFaults(policy, password, {});
  }),
);

test('256 hostile characters take less than a millisecond', async () => {
  const texts = [
    'a'.repeat(256),
    'ada'.repeat(86),
    'ab'.repeat(128),
    '\u0344'.repeat(256),
    '\ufdfa'.repeat(256),
    '!1l|'.repeat(64),
    `${'x'.repeat(255)}y`,
    'aab'.repeat(86),
    'a'.repeat(1e6),
  ];
  const context: PasswordContext = {
    username: 'ada',
    email: 'ada.byron@mail.example.com',
    displayName: 'Ada Lovelace',
    words: Array.from({ length: 20 }, (_, n) => `${'a'.repeat(60)}${n}`),
  };
  for (const text of texts)
    await expectWithin(1, () => passwordScore(policy, text, context), text.slice(0, 8));
});
