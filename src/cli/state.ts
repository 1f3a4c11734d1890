/** Opens the database for a verb, and explains refusals to the operator. */
import type { Config } from '../config/schema.ts';
import { createSystemRandom } from '../crypto/secret.ts';
import { createSealer } from '../crypto/seal.ts';
import { KeysRefused, createSigningKeys } from '../core/signing-key/signing-key.ts';
import type { SigningKeys } from '../core/signing-key/signing-key.ts';
import { signingKeyPolicy } from '../app/policies.ts';
import { DatabaseBusy, DatabaseRefused, StorageUnavailable } from '../db/database.ts';
import { databaseFile, openDatabase } from '../db/open.ts';
import type { OpenDatabase, OpenOptions } from '../db/open.ts';
import { existsSync } from 'node:fs';
import { CliRefusal, EXIT, missingDatabase } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { keyEncryptionKey } from './key-file.ts';
import { loadConfig } from './load-config.ts';
import type { VerbCall } from './verb.ts';

/** Opens the configured database. @throws {CliRefusal} */
export async function openState(
  config: Config,
  call: VerbCall,
  options: Pick<OpenOptions, 'flush' | 'onStorage' | 'onCommit' | 'checkpointLaneUrl'> = {},
): Promise<OpenDatabase> {
  return mapDatabaseErrors(() =>
    openDatabase({
      url: config.database.url,
      encryptionKey: config.database.encryption_key,
      authToken: config.database.auth_token,
      busyTimeoutMs: config.database.busy_timeout,
      clock: call.context.clock,
      warn: (line) => call.output.warn(line),
      ...options,
    }),
  );
}

/** Turns a database's refusal into a CLI refusal with the same sentence. */
export async function mapDatabaseErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DatabaseRefused || error instanceof KeysRefused)
      throw new CliRefusal(EXIT.config, error.message, { cause: error });
    const fault = diskFault(error);
    if (fault !== undefined) throw new CliRefusal(fault.exitCode, fault.message, { cause: error });
    if (error instanceof DatabaseBusy)
      throw new CliRefusal(
        EXIT.failed,
        'another process held the database for longer than database.busy_timeout. Nothing was changed; try again.',
        { cause: error },
      );
    throw error;
  }
}

/**
 * SQLite's disk errors in an operator's words. A restart may help with the first two; the others
 * need an operator.
 */
const DISK_FAULTS: readonly (readonly [
  name: string,
  code: number,
  exitCode: ExitCode,
  message: string,
])[] = [
  [
    'SQLITE_FULL',
    13,
    EXIT.failed,
    'the disk of the database is full. Free some space and start again; no acknowledged write is lost.',
  ],
  [
    'SQLITE_IOERR',
    10,
    EXIT.failed,
    "the database can't be read or written (a disk error, or no space). Check the disk; no acknowledged write is lost.",
  ],
  [
    'SQLITE_READONLY',
    8,
    EXIT.config,
    'the database, or its folder, may not be written by this user. Change the owner or the mode, or database.url (POSTERN_DATABASE_URL). Nothing was changed.',
  ],
  [
    'SQLITE_CANTOPEN',
    14,
    EXIT.config,
    'the database, or a file beside it, may not be opened by this user. Change the owner or the mode, or database.url (POSTERN_DATABASE_URL). Nothing was changed.',
  ],
  [
    'SQLITE_PERM',
    3,
    EXIT.config,
    'the database may not be opened by this user. Change the owner or the mode. Nothing was changed.',
  ],
  [
    'SQLITE_CORRUPT',
    11,
    EXIT.config,
    'the database is damaged: a page has invalid content. Restore it from the backup; nothing was changed.',
  ],
];

function diskFault(
  refused: unknown,
): { readonly exitCode: ExitCode; readonly message: string } | undefined {
  const error = refused instanceof StorageUnavailable ? refused.cause : refused;
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const name = String(error.code);
  // The binding has no names for some extended codes; their low byte is the primary code.
  const code =
    'rawCode' in error && typeof error.rawCode === 'number' ? error.rawCode & 0xff : undefined;
  const found = DISK_FAULTS.find(
    (fault) => name === fault[0] || name.startsWith(`${fault[0]}_`) || code === fault[1],
  );
  return found === undefined ? undefined : { exitCode: found[2], message: found[3] };
}

/**
 * Runs a verb's work on the database of an existing service, which may be running. @throws
 * {CliRefusal}
 */
export async function withDatabase<T>(
  call: VerbCall,
  work: (db: OpenDatabase, config: Config) => Promise<T>,
): Promise<T> {
  const { config } = loadConfig(call);
  const file = await mapDatabaseErrors(async () => databaseFile(config.database.url));
  if (file !== null && !existsSync(file)) throw missingDatabase(file);
  const db = await openState(config, call);
  try {
    const pending = await mapDatabaseErrors(() => db.pendingMigrations());
    if (pending.length > 0)
      throw new CliRefusal(
        EXIT.failed,
        `${db.location} has not been migrated. Run: postern migrate`,
      );
    return await mapDatabaseErrors(() => work(db, config));
  } finally {
    await db.close();
  }
}

/** Like {@link withDatabase}, with the signing keys. */
export async function withKeys<T>(
  call: VerbCall,
  work: (keys: SigningKeys, config: Config, db: OpenDatabase) => Promise<T>,
): Promise<T> {
  return withDatabase(call, async (db, config) => {
    const current = keyEncryptionKey(config, 'refuse', (line) => call.output.warn(line));
    const sealer = createSealer(
      { current, previous: config.secrets.previous_key_encryption_keys },
      createSystemRandom(),
    );
    return work(
      await createSigningKeys(
        { db, sealer, clock: call.context.clock, random: createSystemRandom() },
        signingKeyPolicy(config),
        'look',
      ),
      config,
      db,
    );
  });
}
