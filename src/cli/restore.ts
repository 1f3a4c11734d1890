/**
 * `postern restore`: replaces the database by a backup. Everything is verified before anything is
 * changed, and the old files are kept beside it under another name.
 */
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Config } from '../config/schema.ts';
import { createSigningKeys } from '../core/signing-key/signing-key.ts';
import { signingKeyPolicy } from '../app/policies.ts';
import { voidAllOneTimes, voidWaitingEmails } from '../core/one-time/void-all.ts';
import { openWithRecoveryKey } from '../crypto/recovery-key.ts';
import { createSealer, parseSealKey } from '../crypto/seal.ts';
import { createSystemRandom } from '../crypto/secret.ts';
import { databaseFile, openDatabase } from '../db/open.ts';
import { isUnused, settleCopy } from '../db/snapshot.ts';
import { PARTS, readArchive, syncFolder } from './backup-archive.ts';
import type { ReadArchive } from './backup-archive.ts';
import { confirm } from './confirm.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { giveToOwner } from './give-to-owner.ts';
import { KEY_FILE } from './key-file.ts';
import { loadConfig } from './load-config.ts';
import { mapDatabaseErrors } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import { workFolder } from './work-folder.ts';
import type { Verb, VerbCall } from './verb.ts';

const UNTOUCHED = 'Nothing was changed.';

export const restore: Verb = {
  name: 'restore',
  summary: 'Replaces the database by a verified backup; the service must not run.',
  examples: [
    'postern restore /var/backups/postern-2031-05-20.tar',
    'postern restore postern.tar --recovery-key recovery.pem --yes',
  ],
  arguments: [{ name: '<file>', sentence: 'an archive of postern backup' }],
  options: [
    {
      flags: '--recovery-key <file>',
      sentence: 'the private key in PEM, for an archive that was sealed to its public one',
    },
    { flags: '--dry-run', sentence: 'verify the archive and change nothing' },
    { flags: '--yes', sentence: 'replace an existing database without asking' },
    JSON_OPTION,
  ],
  run: async (call) => {
    const { config } = loadConfig(call);
    const [given = ''] = call.arguments;
    const archive = resolve(call.context.cwd, given);
    const file = await mapDatabaseErrors(async () => databaseFile(config.database.url));
    if (file === null)
      throw new CliRefusal(EXIT.failed, 'the database is on a server: restore it there.');
    if (!existsSync(archive))
      throw new CliRefusal(EXIT.failed, `${archive} does not exist. ${UNTOUCHED}`);
    const folder = dirname(file);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // In the same folder, so that a rename moves it into place.
    const work = workFolder(folder, 'restore');
    try {
      const read = unpack(archive, work);
      const key = keyOf(call, config, read, file);
      const encryptionKey = databaseKeyOf(call, config, read);
      const codes = await verified(call, config, { read, key, encryptionKey });
      const isThere = existsSync(file);
      if (call.has('dry-run')) {
        call.output.answer(
          `${archive} is whole: it would ${isThere ? 'replace' : 'become'} ${file}.`,
        );
        return EXIT.done;
      }
      if (isThere && !isUnused(file, config.database.encryption_key))
        throw new CliRefusal(
          EXIT.failed,
          `a process has ${file} open. Stop the service first. ${UNTOUCHED}`,
        );
      if (isThere)
        await confirm(
          call,
          `${file} would be replaced by the state of ${read.manifest.created_at}.`,
        );
      const kept = put({
        file,
        work,
        key: config.secrets.key_encryption_key === undefined ? key : undefined,
        now: call.context.clock.now(),
      });
      report(call, {
        file,
        kept,
        codes,
        created: read.manifest.created_at,
        needsKey: encryptionKey !== config.database.encryption_key,
      });
      return EXIT.done;
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

/** @throws {CliRefusal} */
function unpack(archive: string, work: string): ReadArchive {
  try {
    return readArchive(archive, work);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new CliRefusal(
      EXIT.failed,
      `${archive} can't be restored: ${cause.message}. ${UNTOUCHED}`,
      { cause },
    );
  }
}

/** The key-encryption key of the backup, 32 bytes. */
function keyOf(
  call: VerbCall,
  config: Config,
  { manifest, small }: ReadArchive,
  file: string,
): Uint8Array {
  const configured = config.secrets.key_encryption_key;
  if (configured !== undefined) return configured;
  const text = small.get(PARTS.key) ?? opened(call, small.get(PARTS.sealedKey));
  if (text !== undefined) return parseSealKey(text.toString('utf8'));
  const beside = join(dirname(file), KEY_FILE);
  if (existsSync(beside)) return parseSealKey(readFileSync(beside, 'utf8'));
  throw new CliRefusal(
    EXIT.config,
    manifest.key === 'sealed'
      ? `the archive's key is sealed: give the private key by --recovery-key. ${UNTOUCHED}`
      : `the archive contains no key, and there is none at ${beside}: put it there, or set secrets.key_encryption_key_file. ${UNTOUCHED}`,
  );
}

function databaseKeyOf(
  call: VerbCall,
  { database }: Config,
  { manifest, small }: ReadArchive,
): string | undefined {
  if (!manifest.database.encrypted) {
    if (database.encryption_key === undefined) return undefined;
    throw new CliRefusal(
      EXIT.config,
      `the backup is of a database without database.encryption_key, which is set. Unset it to restore. ${UNTOUCHED}`,
    );
  }
  const key =
    database.encryption_key ?? opened(call, small.get(PARTS.sealedDatabaseKey))?.toString('utf8');
  if (key === undefined)
    throw new CliRefusal(
      EXIT.config,
      `the backup is encrypted: set database.encryption_key to its key. ${UNTOUCHED}`,
    );
  return key;
}

function opened(call: VerbCall, sealed: Buffer | undefined): Buffer | undefined {
  const recovery = call.text('recovery-key');
  if (sealed === undefined || recovery === undefined) return undefined;
  try {
    return openWithRecoveryKey(call.context.readFile(recovery).text, sealed);
  } catch (cause) {
    const why = cause instanceof TypeError ? cause.message : 'it can not be read';
    throw new CliRefusal(EXIT.failed, `--recovery-key ${recovery}: ${why}. ${UNTOUCHED}`, {
      cause,
    });
  }
}

interface Verifying {
  readonly read: ReadArchive;
  readonly key: Uint8Array;
  readonly encryptionKey: string | undefined;
}

/**
 * Opens the copy as the service would, and voids what may have been spent since the backup. Returns
 * the number of voided codes and links.
 */
async function verified(
  call: VerbCall,
  config: Config,
  { read, key, encryptionKey }: Verifying,
): Promise<number> {
  const { clock } = call.context;
  const url = `file:${read.database}`;
  return mapDatabaseErrors(async () => {
    settleCopy(read.database, encryptionKey);
    const db = await openDatabase({
      url,
      encryptionKey,
      busyTimeoutMs: config.database.busy_timeout,
      clock,
    });
    try {
      // Refuses a newer schema, and migrates a backup of an older version.
      await db.migrate();
      const keys = { current: key, previous: config.secrets.previous_key_encryption_keys };
      const random = createSystemRandom();
      const sealer = createSealer(keys, random);
      await createSigningKeys({ db, sealer, clock, random }, signingKeyPolicy(config), 'look');
      const [codes = []] = await db.write([...voidAllOneTimes(), voidWaitingEmails(clock.now())]);
      return codes.length;
    } finally {
      await db.close();
    }
  });
}

interface Put {
  readonly file: string;
  readonly work: string;
  /** Undefined when it is configured and not a file. */
  readonly key: Uint8Array | undefined;
  readonly now: number;
}

/**
 * Renames the existing files and moves the backup into place. If it is interrupted, the old files
 * still exist and the verb can be run again.
 */
function put({ file, work, key, now }: Put): readonly string[] {
  const folder = dirname(file);
  const suffix = `.before-${new Date(now).toISOString().replace(/[-:]|\.\d+/g, '')}`;
  const keyFile = join(folder, KEY_FILE);
  const kept: string[] = [];
  for (const path of [keyFile, file]) {
    if (!existsSync(path) || (path === keyFile && key === undefined)) continue;
    rmSync(`${path}${suffix}`, { force: true });
    linkSync(path, `${path}${suffix}`);
    kept.push(`${path}${suffix}`);
  }
  // The database can't be opened with this key: its log must be kept with it.
  for (const end of ['-wal', '-shm'])
    if (existsSync(file + end)) renameSync(file + end, `${file}${suffix}${end}`);
  if (key !== undefined) {
    const made = join(work, KEY_FILE);
    writeFileSync(made, `${Buffer.from(key).toString('base64url')}\n`, {
      mode: 0o600,
      flush: true,
    });
    renameSync(made, keyFile);
  }
  renameSync(join(work, PARTS.database), file);
  giveToOwner([file, keyFile]);
  syncFolder(folder);
  return kept;
}

interface Restored {
  readonly file: string;
  readonly kept: readonly string[];
  readonly codes: number;
  readonly created: string;
  readonly needsKey: boolean;
}

function report(call: VerbCall, { file, kept, codes, created, needsKey }: Restored): void {
  const { output } = call;
  if (call.has('json')) {
    output.answerJson({ path: file, created_at: created, kept, voided_codes: codes });
    return;
  }
  output.answer(`${file} now has the state of ${created}.`);
  for (const path of kept) output.progress(`kept: ${path}`);
  output.progress(`${codes} codes and links were voided, and emails that waited.`);
  output.progress(
    'Clients that refreshed since then are signed out (session_revoked; in the log session.rolled_back, which is no theft). Recovery codes used since, and keys withdrawn since, are valid again: run postern keys rotate --now --withdraw if one had leaked.',
  );
  if (needsKey)
    output.warn(
      'the database is encrypted: set database.encryption_key to the key that was in the archive.',
    );
}
