/** When a database was last backed up: a file beside it, which backups don't include. */
import { readFileSync, writeFileSync } from 'node:fs';

const markOf = (database: string): string => `${database}-last-backup`;

/** @param database its absolute path */
export function markBackup(database: string, now: number): void {
  writeFileSync(markOf(database), `${new Date(now).toISOString()}\n`, { mode: 0o600 });
}

/** Milliseconds; null if there was no backup. */
export function lastBackup(database: string): number | null {
  try {
    const at = Date.parse(readFileSync(markOf(database), 'utf8').trim());
    return Number.isNaN(at) ? null : at;
  } catch {
    return null; // no backup yet, which is what the metric says
  }
}
