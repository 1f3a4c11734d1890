/** Importing one user: one line is one commit, so that a crash leaves whole users and no others. */
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { insertPassword } from '../../core/password/credential.ts';
import { findUserBySignInName } from '../../core/user/user.ts';
import type { HashContext } from '../../crypto/password-hasher.ts';
import { UniqueViolation } from '../../db/database.ts';
import type { Statement } from '../../db/database.ts';
import type { Refusal } from '../../refusal.ts';
import { invalidRequest } from '../../refusal.ts';
import { lineSchema, parseLine, userOf } from './line.ts';
import type { ImportLine } from './line.ts';
import { createSlots } from './slots.ts';
import { findNamed, insertImported } from './store.ts';
import type { ImportedUser } from './store.ts';

/** `existing`: the account was there already, and stays as it is. */
export type Outcome = 'created' | 'existing';

/** A line that can be stored; without statements, its account is there already. */
export interface PreparedLine {
  readonly line: ImportLine;
  readonly statements: readonly Statement[] | null;
}

export type Mode = 'import' | 'dry_run';

/** One queue of hashes for all imports, beside those of users. */
const HASHING: HashContext = { account: 'import', client: 'import' };

/** Less than an account's share of the queue, whatever its length. */
const MAX_HASHING = 8;

const HASH_FAULTS = {
  malformed: {
    code: 'hash_malformed',
    detail: 'This is no password hash in a spelling that is known here: see docs/import-users.md.',
  },
  cost: {
    code: 'hash_cost',
    detail: 'This hash would cost more than a comparison may: see docs/import-users.md.',
  },
  unknown_pepper: {
    code: 'hash_pepper',
    detail: 'This hash needs a pepper that is neither password.pepper nor a previous one.',
  },
} as const;

const taken = (pointer: string, what: string): Refusal =>
  invalidRequest({ pointer, code: 'taken', detail: `Another account has this ${what}.` });

const TAKEN: readonly (readonly [column: string, pointer: string, what: string])[] = [
  ['user.username_canonical', '/username', 'username'],
  ['user.email_canonical', '/email', 'address'],
  ['user.phone', '/phone', 'number'],
  ['passkey.credential_id', '/passkeys', 'passkey'],
];

function takenBy(columns: readonly string[]): Refusal | null {
  const [, pointer, what] = TAKEN.find(([column]) => columns.includes(column)) ?? [];
  return pointer === undefined || what === undefined ? null : taken(pointer, what);
}

type Names = Pick<ImportedUser, 'externalId' | 'usernameCanonical' | 'emailCanonical' | 'phone'>;

const NAME_WORDS = { username: 'username', email: 'address', phone: 'number' } as const;

/** Names of the lines before, of a run that writes none of them. */
export interface Seen {
  has(name: string): boolean;
  add(name: string): unknown;
}

export function importUser(kernel: Kernel, seen: Seen) {
  const { db, clock, newId, passwordHasher } = kernel;
  const { portables } = kernel.factors;
  const schema = lineSchema(portables);
  const hashing = createSlots(MAX_HASHING);

  /** Whether the account is there. @throws {Refusal} invalid_request: it is another's id */
  async function isThere({ id = null, external_id: externalId = null }: ImportLine) {
    if (id === null && externalId === null) return false;
    const found = await findNamed(db, { id, externalId });
    const [one] = found;
    if (one === undefined) return false;
    if (id !== null && (one.id !== id || found.length > 1)) throw taken('/external_id', 'name');
    const isOther = externalId !== null && one.externalId !== null && one.externalId !== externalId;
    if (isOther) throw taken('/id', 'id');
    return true;
  }

  /** @throws {Refusal} invalid_request */
  async function passwordOf(line: ImportLine, mode: Mode): Promise<string | null> {
    const text = line.password_hash ?? null;
    if (text === null) return null;
    const refused = passwordHasher.refusalOf(text);
    if (refused !== null)
      throw invalidRequest({ pointer: '/password_hash', ...HASH_FAULTS[refused] });
    return mode === 'dry_run' ? null : hashing(() => passwordHasher.adopt(text, HASHING));
  }

  /** The statements for what features store. @throws {Refusal} invalid_request */
  function portableStatements(line: ImportLine, userId: string): readonly Statement[] {
    const members = new Map<string, unknown>(Object.entries(line));
    return portables.flatMap((portable) => {
      const value = members.get(portable.name) ?? null;
      return value === null ? [] : portable.statements(userId, value);
    });
  }

  /** Checks what a commit would. @throws {Refusal} invalid_request */
  async function demandFree({ externalId, usernameCanonical, emailCanonical, phone }: Names) {
    const names = [
      ['username', usernameCanonical],
      ['email', emailCanonical],
      ['phone', phone],
    ] as const;
    for (const [kind, canonical] of names) {
      if (canonical === null) continue;
      const key = `${kind} ${canonical}`;
      const owner = await findUserBySignInName(db, { kind, canonical });
      if (owner !== null || seen.has(key)) throw taken(`/${kind}`, NAME_WORDS[kind]);
      seen.add(key);
    }
    if (externalId !== null) seen.add(`external_id ${externalId}`);
  }

  return {
    /** Reads, checks and hashes; stores nothing. @throws {Refusal} invalid_request, overloaded */
    async prepare(content: string, mode: Mode): Promise<PreparedLine> {
      const line = parseLine(schema, content);
      const now = clock.now();
      const user = userOf(line, { now, newId });
      if ((await isThere(line)) || seen.has(`external_id ${user.externalId}`))
        return { line, statements: null };
      const passwordHash = await passwordOf(line, mode);
      const others = portableStatements(line, user.id);
      if (mode === 'dry_run') await demandFree(user);
      const password =
        passwordHash === null ? [] : [insertPassword({ userId: user.id, passwordHash, now })];
      return { line, statements: [insertImported(user), ...password, ...others] };
    },

    /** @throws {Refusal} invalid_request */
    async store(context: Context, { line, statements }: PreparedLine): Promise<Outcome> {
      if (statements === null) return 'existing';
      try {
        await kernel.commit(context, statements);
        return 'created';
      } catch (error) {
        const columns = error instanceof UniqueViolation ? error.columns : [];
        // The same line once more, from this file or from another import.
        if (columns.length > 0 && (await isThere(line))) return 'existing';
        throw takenBy(columns) ?? error;
      }
    },
  };
}
