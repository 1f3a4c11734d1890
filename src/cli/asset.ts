/** Files that belong to the program: in the single binary, beside the bundle, or in the source tree. */
import { existsSync, readFileSync } from 'node:fs';
import { getAsset, getRawAsset, isSea } from 'node:sea';

/** Bytes that are read and never written to: in the single binary they are the program itself. */
export function asset(name: string): Uint8Array {
  if (isSea()) return new Uint8Array(getRawAsset(name));
  const beside = new URL(`./${name}`, import.meta.url);
  return readFileSync(
    existsSync(beside) ? beside : new URL(`../core/password/${name}`, import.meta.url),
  );
}

/** Where the hash lanes' program is, when it is no file: a worker takes a module from its URL. */
export function laneAsset(): { laneUrl?: URL } {
  if (!isSea()) return {};
  const module = encodeURIComponent(getAsset('hash-lane.mjs', 'utf8'));
  return { laneUrl: new URL(`data:text/javascript,${module}`) };
}
