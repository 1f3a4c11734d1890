/**
 * Checks of the machine: file modes, flush time and free space of the disk, memory, descriptors.
 */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { lastBackup } from './backup-mark.ts';
import { fail, ok, warn } from './doctor-finding.ts';
import type { Check, Finding, Patient } from './doctor-finding.ts';
import { KEY_FILE } from './key-file.ts';

const MIB = 1_048_576;
const LEAST_BYTES = 100 * MIB;
const FEW_BYTES = 1_024 * MIB;
const FLUSHES = 20;
const SLOW_FLUSH_MS = 10;
const BACKUP_AGE_MS = 2 * 86_400_000;
/** Descriptors besides connections: files, the database, libraries. */
const OTHER_DESCRIPTORS = 64;

export function hostChecks(patient: Patient): readonly Check[] {
  const { file, config, call } = patient;
  const common: readonly Check[] = [
    { name: 'huge-pages', look: hugePages },
    { name: 'open-files', look: () => openFiles(config.server.max_connections) },
  ];
  if (file === null) return common;
  const folder = dirname(file);
  return [
    { name: 'folder-mode', look: () => mode(folder, 0o022, '0700', 'be written by others') },
    { name: 'database-mode', look: () => mode(file, 0o077, '0600', 'be read by others') },
    {
      name: 'key-mode',
      look: () =>
        config.secrets.key_encryption_key === undefined
          ? mode(join(folder, KEY_FILE), 0o077, '0600', 'be read by others')
          : ok('secrets.key_encryption_key is configured'),
    },
    { name: 'free-space', look: () => freeSpace(folder) },
    { name: 'disk-flush', look: () => diskFlush(folder) },
    { name: 'backup', look: () => backup(file, call.context.clock.now()) },
    ...common,
  ];
}

function mode(path: string, forbidden: number, wanted: string, what: string): Finding {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return warn(`${path} does not exist yet.`, 'postern serve creates it.');
  const bits = stats.mode & 0o777;
  const shown = bits.toString(8).padStart(4, '0');
  return (bits & forbidden) === 0
    ? ok(`${path} ${shown}`)
    : fail(`${path} can ${what} (mode ${shown}).`, `Run: chmod ${wanted} ${path}`);
}

function freeSpace(folder: string): Finding {
  const place = existsSync(folder) ? folder : dirname(folder);
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const fact = `${Math.floor(free / MIB)} MiB are free at ${place}`;
  const remedy = 'Free some: a full disk refuses every sign-in.';
  if (free < LEAST_BYTES) return fail(`${fact}.`, remedy);
  return free < FEW_BYTES ? warn(`${fact}.`, remedy) : ok(fact);
}

/** The time to flush a small write: every commit waits for it. */
function diskFlush(folder: string): Finding {
  if (!existsSync(folder))
    return warn(`${folder} does not exist yet.`, 'postern serve creates it.');
  const aside = mkdtempSync(join(folder, '.postern-doctor-'));
  try {
    const file = openSync(join(aside, 'flush'), 'w', 0o600);
    const times: number[] = [];
    try {
      for (let n = 0; n < FLUSHES; n++) {
        const started = performance.now();
        writeSync(file, Buffer.alloc(4_096, n));
        fdatasyncSync(file);
        times.push(performance.now() - started);
      }
    } finally {
      closeSync(file);
    }
    const median = times.sort((a, b) => a - b)[FLUSHES / 2] ?? 0;
    const fact = `a flush takes ${median.toFixed(2)} ms`;
    return median <= SLOW_FLUSH_MS
      ? ok(fact)
      : warn(`${fact}.`, 'Every write waits for it: put the database on a faster disk.');
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function backup(file: string, now: number): Finding {
  const at = lastBackup(file);
  if (at === null) return warn('there is no backup yet.', 'Run: postern backup (docs/backup.md)');
  const fact = `the last backup was made at ${new Date(at).toISOString()}`;
  return now - at <= BACKUP_AGE_MS
    ? ok(fact)
    : warn(`${fact}.`, 'Run: postern backup, and find out why the scheduled backup did not run.');
}

function hugePages(): Finding {
  const path = '/sys/kernel/mm/transparent_hugepage/enabled';
  if (!existsSync(path)) return ok('not known here');
  const chosen = /\[(\w+)\]/.exec(readFileSync(path, 'utf8'))?.[1] ?? 'unknown';
  return chosen === 'always'
    ? warn(
        'transparent huge pages are always used, which takes more memory.',
        `Run: echo madvise > ${path}`,
      )
    : ok(`transparent huge pages: ${chosen}`);
}

function openFiles(maxConnections: number): Finding {
  const path = '/proc/self/limits';
  if (!existsSync(path)) return ok('not known here');
  const limit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync(path, 'utf8'))?.[1]);
  const wanted = maxConnections + OTHER_DESCRIPTORS;
  return Number.isNaN(limit) || limit >= wanted
    ? ok(`${Number.isNaN(limit) ? 'unlimited' : limit} files may be open`)
    : warn(
        `${limit} files may be open, fewer than server.max_connections (${maxConnections}) needs.`,
        `Set LimitNOFILE=${wanted} or lower the setting.`,
      );
}
