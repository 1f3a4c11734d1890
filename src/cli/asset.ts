/** Files that come with the program: beside the bundle, or where the source has them. */
import { existsSync, readFileSync } from 'node:fs';

export function asset(name: string): Uint8Array {
  const beside = new URL(`./${name}`, import.meta.url);
  return readFileSync(
    existsSync(beside) ? beside : new URL(`../features/password/${name}`, import.meta.url),
  );
}
