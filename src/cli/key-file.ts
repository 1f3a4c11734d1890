/**
 * The key that seals what lies in the database. Without one in the configuration it is a 0600 file
 * beside the database, made at the first start and never a default one: who loses it loses the
 * signing keys, so it is never quietly made anew.
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
import { systemRandom } from '../crypto/secret.ts';
import { CliRefusal, EXIT } from './exit.ts';

export const KEY_FILE = 'key-encryption.key';

const MAKE_ONE = 'Make one with: openssl rand -base64 32';

/**
 * The key-encryption key in force.
 *
 * @param mayCreate whether this verb may make the first one
 * @throws {CliRefusal} there is none, or it is gone
 */
export function keyEncryptionKey(
  config: Config,
  mayCreate: boolean,
  warn: (line: string) => void,
): Uint8Array {
  if (config.secrets.key_encryption_key !== undefined) return config.secrets.key_encryption_key;
  const database = databaseFile(config.database.url);
  if (database === null)
    throw new CliRefusal(
      EXIT.config,
      `secrets.key_encryption_key is not set, and a database on a server needs one that its instances share. ${MAKE_ONE}`,
    );
  const path = join(dirname(database), KEY_FILE);
  if (!existsSync(path)) {
    if (holdsSomething(database))
      throw new CliRefusal(
        EXIT.config,
        `${path} is gone, and ${database} was made with it. Bring it back from the backup, or set secrets.key_encryption_key_file. Nothing was changed.`,
      );
    if (!mayCreate)
      throw new CliRefusal(
        EXIT.failed,
        `there is no database at ${database} yet. postern serve makes it.`,
      );
    orRefuse(() => create(path), `${path} can't be made`);
  }
  if ((statSync(path).mode & 0o077) !== 0)
    warn(`${path} can be read by others. Run: chmod 600 ${path}`);
  const text = orRefuse(() => readFileSync(path, 'utf8'), `${path} can't be read`);
  try {
    return parseSealKey(text.trim());
  } catch {
    throw new CliRefusal(
      EXIT.config,
      `${path} does not hold a key of 32 bytes. Bring it back from the backup. Nothing was changed.`,
    );
  }
}

/**
 * A database without a byte in it was made with no key: a first start that failed half-way must not
 * stop the second one.
 */
function holdsSomething(database: string): boolean {
  return (statSync(database, { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** @throws {CliRefusal} with what failed and the code of the system's error */
function orRefuse<T>(work: () => T, failed: string): T {
  try {
    return work();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    throw new CliRefusal(EXIT.config, `${failed}: ${code}. Nothing was changed.`, { cause });
  }
}

/**
 * Whole or not at all: written aside, flushed, then linked to its name. Of two processes that start
 * together one wins.
 */
function create(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const aside = `${path}.${systemRandom.bytes(6).toString('hex')}`;
  const file = openSync(aside, 'wx', 0o600);
  try {
    try {
      writeSync(file, `${systemRandom.bytes(32).toString('base64url')}\n`);
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
