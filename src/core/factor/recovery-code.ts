/**
 * Recovery codes: a set of ten, each good once in the place of a second factor that is lost. A code
 * is sixteen letters and digits; the first picks the row, so that a guess costs one hash and not
 * ten, and the other fifteen are 75 random bits, stored as a password hash (ASVS 6.5.2, NIST SP
 * 800-63B-4 §4.2.1).
 */
import { guarded, raw } from '../../db/prepare.ts';
import type { Database, Statement } from '../../db/database.ts';
import { FACTOR_SPENT } from './factor.ts';
import type { PasswordHasher } from '../../crypto/password-hash.ts';
import type { Random } from '../../lib/id.ts';

export const RECOVERY_CODES = 10;

/** Crockford's base 32: no i, l, o, u, so that nothing is mistaken in handwriting. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const LENGTH = 16;
const FORM = new RegExp(`^[${ALPHABET}]{${LENGTH}}$`);

/** 256 is a multiple of 32: each of the five low bits is as likely. */
function letters(random: Random, count: number): string {
  return [...random.bytes(count)].map((byte) => ALPHABET.charAt(byte & 31)).join('');
}

/**
 * What somebody typed, as the hash was made of it; null when it can't be a code. Case, spaces and
 * hyphens don't count.
 */
export function parseRecoveryCode(text: string): { selector: string; secret: string } | null {
  if (text.length > 64) return null;
  const plain = text
    .replace(/[\s-]/g, '')
    .toLowerCase()
    .replaceAll('o', '0')
    .replaceAll(/[il]/g, '1');
  return FORM.test(plain) ? { selector: plain.charAt(0), secret: plain.slice(1) } : null;
}

/** Ten codes in groups of four, no two with the same first letter. */
export function newRecoveryCodes(random: Random): string[] {
  const selectors = new Set<string>();
  while (selectors.size < RECOVERY_CODES) selectors.add(letters(random, 1));
  return [...selectors].map((selector) =>
    `${selector}${letters(random, LENGTH - 1)}`.replace(/(.{4})(?=.)/g, '$1-'),
  );
}

const remove = raw('DELETE FROM recovery_code WHERE user_id = :userId');
const insert = raw(
  'INSERT INTO recovery_code (user_id, selector, code_hash, created_at) VALUES (:userId, :selector, :codeHash, :now)',
);

/** The statement that takes all codes away. */
export function removeRecoveryCodes(userId: string): Statement {
  return remove({ userId });
}

/** The statements that put a set in the place of the old one. @throws {Refusal} overloaded */
export async function replaceRecoveryCodes(
  hasher: PasswordHasher,
  userId: string,
  codes: readonly string[],
  now: number,
  by: { readonly client: string; readonly signal: AbortSignal },
): Promise<readonly Statement[]> {
  const statements: Statement[] = [removeRecoveryCodes(userId)];
  // One after the other: an account's share of the hash queue is for its sign-ins.
  for (const code of codes) {
    const parsed = parseRecoveryCode(code);
    if (parsed === null) throw new Error('a code that nobody could type');
    statements.push(
      insert({
        userId,
        selector: parsed.selector,
        codeHash: await hasher.hash(parsed.secret, { account: secondAccount(userId), ...by }),
        now,
      }),
    );
  }
  return statements;
}

/** Whose share of the hash queue a look at a code is. */
export const secondAccount = (userId: string): string => `second:${userId}`;

const count = raw<{ count: number }>('SELECT count(*) FROM recovery_code WHERE user_id = :userId', [
  'count',
]);

export async function countRecoveryCodes(db: Database, userId: string): Promise<number> {
  return (await db.read(count({ userId })))[0]?.count ?? 0;
}

const find = raw<{ codeHash: string }>(
  'SELECT code_hash FROM recovery_code WHERE user_id = :userId AND selector = :selector',
  ['codeHash'],
);

/** The stored hash that a code would have to fit. */
export async function findRecoveryCode(
  db: Database,
  userId: string,
  selector: string,
): Promise<string | null> {
  return (await db.read(find({ userId, selector })))[0]?.codeHash ?? null;
}

const spend = raw<{ selector: string }>(
  'DELETE FROM recovery_code WHERE user_id = :userId AND selector = :selector AND code_hash = :codeHash RETURNING selector',
  ['selector'],
);

/**
 * The statement that uses a code up: of fifty at once, one gets through; guarded by FACTOR_SPENT.
 */
export function spendRecoveryCode(values: {
  userId: string;
  selector: string;
  codeHash: string;
}): Statement<{ selector: string }> {
  return guarded(spend({ ...values }), FACTOR_SPENT);
}
