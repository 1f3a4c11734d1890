/**
 * The key-encryption key. If it is not configured, it is a 0600 file beside the database, generated
 * at the first start. It is never silently generated again, because losing it means losing the
 * signing keys.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { parseSealKey } from '../crypto/seal.ts';
import { databaseFile } from '../db/open.ts';
import { createSystemRandom } from '../crypto/secret.ts';
import { CliRefusal, EXIT, missingDatabase } from './exit.ts';

export const KEY_FILE = 'key-encryption.key';

const MAKE_ONE = 'Make one with: openssl rand -base64 32';

/**
 * The effective key-encryption key.
 *
 * @param first what to do when no key exists yet
 * @throws {CliRefusal} there is none, or it is missing
 */
export function keyEncryptionKey(
  config: Config,
  first: 'create' | 'refuse',
  warn: (line: string) => void,
): Uint8Array {
  if (config.secrets.key_encryption_key !== undefined) return config.secrets.key_encryption_key;
  const database = databaseFile(config.database.url);
  if (database === null)
    throw new CliRefusal(
      EXIT.config,
      `secrets.key_encryption_key is not set, and a database on a server needs one that all instances share. ${MAKE_ONE}`,
    );
  const path = join(dirname(database), KEY_FILE);
  if (!existsSync(path)) {
    if (holdsSomething(database))
      throw new CliRefusal(
        EXIT.config,
        `${path} is missing, but ${database} was created with it. Restore it from the backup, or set secrets.key_encryption_key_file. Nothing was changed.`,
      );
    if (first === 'refuse') throw missingDatabase(database);
    orRefuse(() => create(path), `${path} can't be created`);
  }
  if ((statSync(path).mode & 0o077) !== 0)
    warn(`${path} can be read by others. Run: chmod 600 ${path}`);
  const text = orRefuse(() => readFileSync(path, 'utf8'), `${path} can't be read`);
  try {
    return parseSealKey(text.trim());
  } catch {
    throw new CliRefusal(
      EXIT.config,
      `${path} does not contain a key of 32 bytes. Restore it from the backup. Nothing was changed.`,
    );
  }
}

/**
 * An empty database file was created without a key: a first start that failed half-way must not
 * block the second one.
 */
function holdsSomething(database: string): boolean {
  return (statSync(database, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** @throws {CliRefusal} with the failed action and the system's error code */
function orRefuse<T>(work: () => T, failed: string): T {
  try {
    return work();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    throw new CliRefusal(EXIT.config, `${failed}: ${code}. Nothing was changed.`, { cause });
  }
}

/**
 * Written completely or not at all: to a temporary file, flushed, then linked to its name. Of two
 * processes that start together one wins.
 */
function create(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.${createSystemRandom().bytes(6).toString('hex')}`;
  const file = openSync(aside, 'wx', 0o600);
  try {
    try {
      writeSync(file, `${createSystemRandom().bytes(32).toString('base64url')}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    linkSync(aside, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    unlinkSync(aside);
  }
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
