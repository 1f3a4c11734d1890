/** Files that belong to the program: beside the bundle, or in the source tree. */
import { existsSync, readFileSync } from 'node:fs';

export function asset(name: string): Uint8Array {
  const beside = new URL(`./${name}`, import.meta.url);
  return readFileSync(
    existsSync(beside) ? beside : new URL(`../features/password/${name}`, import.meta.url),
  );
}
