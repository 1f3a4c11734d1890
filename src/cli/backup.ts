/** `postern backup`: one archive of the database and its key, while the service runs. */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Config } from '../config/schema.ts';
import { sealToRecoveryKey } from '../crypto/recovery-key.ts';
import { databaseFile } from '../db/open.ts';
import { settleCopy, snapshot } from '../db/snapshot.ts';
import { PARTS, fileDigest, writeArchive } from './backup-archive.ts';
import type { Manifest, Part } from './backup-archive.ts';
import { markBackup } from './backup-mark.ts';
import { sha256Hex } from '../crypto/digest.ts';
import { CliRefusal, EXIT, missingDatabase } from './exit.ts';
import { keyEncryptionKey } from './key-file.ts';
import { loadConfig } from './load-config.ts';
import { createProgress } from './progress.ts';
import { mapDatabaseErrors } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb, VerbCall } from './verb.ts';
import { VERSION } from './version.ts';

export const backup: Verb = {
  name: 'backup',
  summary: 'Writes the database and its key into one archive, while the service runs.',
  examples: [
    'postern backup --to /var/backups/postern-$(date +%F).tar',
    'postern backup --to /mnt/elsewhere/postern.tar --recovery-key /etc/postern/recovery.pub',
  ],
  options: [
    { flags: '--to <file>', sentence: 'the archive', default: './postern-TIME.tar' },
    {
      flags: '--recovery-key <file>',
      sentence:
        'an RSA public key in PEM: keys are sealed to it, so that the archive alone reveals nothing',
    },
    { flags: '--without-key', sentence: 'leave the key-encryption key out; keep it elsewhere' },
    JSON_OPTION,
  ],
  run: async (call) => {
    const { config } = loadConfig(call);
    const { cwd, clock } = call.context;
    const file = await mapDatabaseErrors(async () => databaseFile(config.database.url));
    if (file === null)
      throw new CliRefusal(
        EXIT.failed,
        'the database is on a server, which has its own backups. Keep secrets.key_encryption_key with them.',
      );
    if (!existsSync(file)) throw missingDatabase(file);
    const now = clock.now();
    const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
    const to = resolve(cwd, call.text('to') ?? `postern-${stamp}.tar`);
    demandFolder(dirname(to));
    const keys = keyParts(call, config);
    const work = mkdtempSync(join(dirname(to), '.postern-backup-'));
    try {
      const copy = join(work, PARTS.database);
      const progress = createProgress(call, 'copying');
      const encryptionKey = config.database.encryption_key;
      await mapDatabaseErrors(() =>
        snapshot({ path: file, encryptionKey, copy, onProgress: progress }),
      );
      progress.end();
      await mapDatabaseErrors(async () => settleCopy(copy, encryptionKey));
      const manifest: Manifest = {
        format: 1,
        postern: VERSION,
        created_at: new Date(now).toISOString(),
        database: { encrypted: encryptionKey !== undefined, ...fileDigest(copy) },
        key: keys.key,
        sha256: Object.fromEntries(
          keys.parts.map(({ name, content }) => [name, sha256Hex(content)]),
        ),
      };
      const parts: Part[] = [
        { name: PARTS.manifest, content: Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`) },
        ...keys.parts,
        { name: PARTS.database, content: { path: copy } },
      ];
      await mapDatabaseErrors(async () => writeArchive(to, parts, now));
      markBackup(file, now);
      report(call, to, manifest);
      return EXIT.done;
    } finally {
      rmSync(work, { recursive: true, force: true });
      rmSync(`${to}.part`, { force: true });
    }
  },
};

function demandFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new CliRefusal(
      EXIT.failed,
      `${folder} is not a folder. Create it, or change --to. Nothing was written.`,
    );
}

interface Keys {
  readonly key: Manifest['key'];
  readonly parts: readonly { readonly name: string; readonly content: Buffer }[];
}

/** The keys as the archive contains them. */
function keyParts(call: VerbCall, config: Config): Keys {
  const current = keyEncryptionKey(config, 'refuse', (line) => call.output.warn(line));
  const text = Buffer.from(`${Buffer.from(current).toString('base64url')}\n`);
  const recovery = call.text('recovery-key');
  if (recovery !== undefined) return sealedKeys(call, recovery, text, config);
  if (config.secrets.key_encryption_key !== undefined) return { key: 'configured', parts: [] };
  if (call.has('without-key')) return { key: 'left_out', parts: [] };
  return { key: 'file', parts: [{ name: PARTS.key, content: text }] };
}

function sealedKeys(call: VerbCall, recovery: string, text: Buffer, { database }: Config): Keys {
  try {
    const pem = call.context.readFile(recovery).text;
    const sealed = sealToRecoveryKey(pem, text);
    const parts: { name: string; content: Buffer }[] = [{ name: PARTS.sealedKey, content: sealed }];
    if (database.encryption_key !== undefined)
      parts.push({
        name: PARTS.sealedDatabaseKey,
        content: sealToRecoveryKey(pem, Buffer.from(database.encryption_key)),
      });
    return { key: 'sealed', parts };
  } catch (cause) {
    const why = cause instanceof TypeError ? cause.message : 'it can not be read';
    throw new CliRefusal(EXIT.failed, `--recovery-key ${recovery}: ${why}. Nothing was written.`, {
      cause,
    });
  }
}

const KEY_SENTENCES: Readonly<Record<Manifest['key'], string>> = {
  file: 'It contains the key-encryption key: protect it as you protect the service.',
  sealed: 'Its keys are sealed to the recovery key.',
  configured: 'The key-encryption key is not in it: keep secrets.key_encryption_key elsewhere.',
  left_out: 'The key-encryption key is not in it: without that key it can not be restored.',
};

function report(call: VerbCall, to: string, manifest: Manifest): void {
  const { key, database } = manifest;
  if (call.has('json')) {
    call.output.answerJson({ path: to, ...manifest });
    return;
  }
  call.output.answer(`${to}: ${database.bytes} bytes, verified.`);
  call.output.progress(
    `${KEY_SENTENCES[key]}${database.encrypted && key !== 'sealed' ? ' database.encryption_key is not in it either.' : ''}`,
  );
}
