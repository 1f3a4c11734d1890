/** A temporary folder beside a database, for a verb's work. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Creates it, and removes those of earlier runs that were killed. @param verb as in `restore` */
export function workFolder(folder: string, verb: string): string {
  const prefix = `.postern-${verb}-`;
  for (const name of readdirSync(folder))
    if (name.startsWith(prefix)) rmSync(join(folder, name), { recursive: true, force: true });
  return mkdtempSync(join(folder, prefix));
}
