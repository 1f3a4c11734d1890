/** A folder of its own beside a database, for what a verb prepares there. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Makes it, and removes what a verb that was killed has left. @param verb as in `restore` */
export function workFolder(folder: string, verb: string): string {
  const prefix = `.postern-${verb}-`;
  for (const name of readdirSync(folder))
    if (name.startsWith(prefix)) rmSync(join(folder, name), { recursive: true, force: true });
  return mkdtempSync(join(folder, prefix));
}
