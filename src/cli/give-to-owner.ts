/** Gives files that root wrote to the owner of their folder, which is the service's user. */
import { chownSync, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

export function giveToOwner(paths: readonly string[]): void {
  for (const path of paths) {
    const folder = statSync(dirname(path));
    if (existsSync(path) && statSync(path).uid !== folder.uid)
      chownSync(path, folder.uid, folder.gid);
  }
}
