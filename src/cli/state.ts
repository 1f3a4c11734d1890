/** The database for a verb: opened, and refused in an operator's words. */
import type { Config } from '../config/schema.ts';
import { systemRandom } from '../crypto/secret.ts';
import { createSealer } from '../crypto/seal.ts';
import { KeysRefused, createSigningKeys } from '../core/signing-key/signing-key.ts';
import type { SigningKeys } from '../core/signing-key/signing-key.ts';
import { signingKeyPolicy } from '../app/app.ts';
import { DatabaseBusy, DatabaseRefused } from '../db/database.ts';
import { databaseFile, openDatabase } from '../db/open.ts';
import type { Commit, OpenDatabase } from '../db/open.ts';
import { existsSync } from 'node:fs';
import { CliRefusal, EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { keyEncryptionKey } from './key-file.ts';
import { loadConfig } from './load-config.ts';
import type { VerbCall } from './verb.ts';

/** Opens the database of a configuration. @throws {CliRefusal} */
export async function openState(
  config: Config,
  call: VerbCall,
  onCommit?: (commit: Commit) => void,
): Promise<OpenDatabase> {
  return refusing(() =>
    openDatabase({
      url: config.database.url,
      encryptionKey: config.database.encryption_key,
      authToken: config.database.auth_token,
      busyTimeoutMs: config.database.busy_timeout,
      clock: call.context.clock,
      warn: (line) => call.output.warn(line),
      ...(onCommit === undefined ? {} : { onCommit }),
    }),
  );
}

/** Turns what a database refuses into an end with its sentence. */
export async function refusing<T>(work: () => Promise<T>): Promise<T> {
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
 * What SQLite says of a disk, in an operator's words; a restart may mend the first two, and nothing
 * but an operator the others.
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
    'the disk of the database is full. Make room and start again; nothing that was acknowledged is lost.',
  ],
  [
    'SQLITE_IOERR',
    10,
    EXIT.failed,
    'the database can not be read or written (an error of the disk, or no room). Look at the disk; nothing that was acknowledged is lost.',
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
    'the database is damaged: a page of it does not hold what it should. Bring it back from the backup; nothing was changed.',
  ],
];

function diskFault(
  error: unknown,
): { readonly exitCode: ExitCode; readonly message: string } | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const name = String(error.code);
  // The binding has no names for some extended codes; their low byte is the code that they extend.
  const code =
    'rawCode' in error && typeof error.rawCode === 'number' ? error.rawCode & 0xff : undefined;
  const found = DISK_FAULTS.find(
    (fault) => name === fault[0] || name.startsWith(`${fault[0]}_`) || code === fault[1],
  );
  return found === undefined ? undefined : { exitCode: found[2], message: found[3] };
}

/**
 * Runs a verb's work on the database of a service that exists, beside it if it runs. @throws
 * {CliRefusal}
 */
export async function withDatabase<T>(
  call: VerbCall,
  work: (db: OpenDatabase, config: Config) => Promise<T>,
): Promise<T> {
  const { config } = loadConfig(call);
  const file = await refusing(async () => databaseFile(config.database.url));
  if (file !== null && !existsSync(file))
    throw new CliRefusal(
      EXIT.failed,
      `there is no database at ${file} yet. postern serve makes it.`,
    );
  const db = await openState(config, call);
  try {
    const pending = await refusing(() => db.pendingMigrations());
    if (pending.length > 0)
      throw new CliRefusal(
        EXIT.failed,
        `${db.location} has not been migrated. Run: postern migrate`,
      );
    return await refusing(() => work(db, config));
  } finally {
    await db.close();
  }
}

/** As {@link withDatabase}, with the ring of signing keys. */
export async function withKeys<T>(
  call: VerbCall,
  work: (keys: SigningKeys, config: Config) => Promise<T>,
): Promise<T> {
  return withDatabase(call, async (db, config) => {
    const current = keyEncryptionKey(config, false, (line) => call.output.warn(line));
    const sealer = createSealer(
      { current, previous: config.secrets.previous_key_encryption_keys },
      systemRandom,
    );
    return work(
      await createSigningKeys(
        { db, sealer, clock: call.context.clock, random: systemRandom },
        signingKeyPolicy(config),
        'look',
      ),
      config,
    );
  });
}
