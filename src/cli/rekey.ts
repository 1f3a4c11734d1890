/**
 * `postern rekey`: re-encrypts the database with another key, or for the first time; or re-seals
 * the stored secrets with another key-encryption key.
 */
import { existsSync, linkSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readSecretText } from '../lib/secret-text.ts';
import { databaseFile } from '../db/open.ts';
import { reEncrypt } from '../db/re-encrypt.ts';
import { isUnused, settleCopy } from '../db/snapshot.ts';
import { syncFolder } from './backup-archive.ts';
import { confirm } from './confirm.ts';
import { CliRefusal, EXIT, usageRefusal } from './exit.ts';
import { giveToOwner } from './give-to-owner.ts';
import { loadConfig } from './load-config.ts';
import { createProgress } from './progress.ts';
import { reseal } from './reseal.ts';
import { mapDatabaseErrors } from './state.ts';
import { workFolder } from './work-folder.ts';
import type { Verb, VerbCall } from './verb.ts';

const MIN_KEY_BYTES = 16;

export const rekey: Verb = {
  name: 'rekey',
  summary:
    'Encrypts the database with another key (the service must not run), or re-seals its secrets with another key.',
  examples: [
    'postern rekey --new-key-file /etc/postern/database-key.new',
    'postern rekey --key-encryption-key',
  ],
  options: [
    { flags: '--new-key-file <file>', sentence: 'the file with the new database.encryption_key' },
    { flags: '--decrypt', sentence: 'store it without a key instead' },
    {
      flags: '--key-encryption-key',
      sentence:
        'instead, re-seal every stored secret with secrets.key_encryption_key; its former value must be in secrets.previous_key_encryption_keys',
    },
    { flags: '--yes', sentence: 'skip the confirmation' },
  ],
  run: async (call) => {
    demandOneWay(call);
    if (call.has('key-encryption-key')) return reseal(call);
    const { config } = loadConfig(call);
    const toKey = newKey(call);
    const file = await mapDatabaseErrors(async () => databaseFile(config.database.url));
    if (file === null || !existsSync(file))
      throw new CliRefusal(
        EXIT.failed,
        'there is no database file to encrypt. Nothing was changed.',
      );
    const fromKey = config.database.encryption_key;
    if (fromKey === toKey)
      throw new CliRefusal(EXIT.failed, 'the database already has that key. Nothing was changed.');
    if (!(await mapDatabaseErrors(async () => isUnused(file, fromKey))))
      throw new CliRefusal(
        EXIT.failed,
        `a process has ${file} open. Stop the service first. Nothing was changed.`,
      );
    await confirm(call, `${file} will be encrypted with another key.`);
    const work = workFolder(dirname(file), 'rekey');
    try {
      const to = join(work, 'postern.db');
      const progress = createProgress(call, 'encrypting');
      await mapDatabaseErrors(() =>
        reEncrypt({ from: file, fromKey, to, toKey, onProgress: progress }),
      );
      progress.end();
      await mapDatabaseErrors(async () => settleCopy(to, toKey));
      const kept = `${file}.before-rekey`;
      rmSync(kept, { force: true });
      linkSync(file, kept);
      renameSync(to, file);
      giveToOwner([file]);
      syncFolder(dirname(file));
      call.output.answer(`${file} has its new key.`);
      call.output.progress(
        `Now set database.encryption_key to it and start the service. Then delete ${kept}, the copy that the old key opens.`,
      );
      return EXIT.done;
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  },
};

/** @throws {CliRefusal} none of the three options was given, or several */
function demandOneWay(call: VerbCall): void {
  const ways = [call.text('new-key-file') !== undefined, call.has('decrypt')];
  if ([...ways, call.has('key-encryption-key')].filter((isGiven) => isGiven).length !== 1)
    throw usageRefusal(
      'give one of --new-key-file, --decrypt and --key-encryption-key',
      'postern rekey --help',
    );
}

/** @throws {CliRefusal} a key that can't be used */
function newKey(call: VerbCall): string | undefined {
  const path = call.text('new-key-file');
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = call.context.readFile(path).text.replace(/\r?\n$/, '');
  } catch (cause) {
    throw new CliRefusal(EXIT.failed, `${path} can't be read. Nothing was changed.`, { cause });
  }
  const reading = readSecretText(MIN_KEY_BYTES)(text);
  if ('refusals' in reading)
    throw new CliRefusal(
      EXIT.failed,
      `${path} does not contain a key of at least ${MIN_KEY_BYTES} bytes. Nothing was changed.`,
    );
  return reading.value;
}
