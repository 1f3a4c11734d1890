/**
 * Files that belong to the program: in the single binary, beside the bundle, or in the source tree.
 */
import { existsSync, readFileSync } from 'node:fs';
import { getAsset, getRawAsset, isSea } from 'node:sea';

/** Bytes that are only read: in the single binary they are part of the program itself. */
export function asset(name: string): Uint8Array {
  if (isSea()) return new Uint8Array(getRawAsset(name));
  const beside = new URL(`./${name}`, import.meta.url);
  return readFileSync(
    existsSync(beside) ? beside : new URL(`../core/password/${name}`, import.meta.url),
  );
}

/**
 * The location of the hash lanes' program, when it is not a file: a worker loads a module from its
 * URL.
 */
export function laneAsset(): { laneUrl?: URL } {
  const laneUrl = moduleAsset('hash-lane.mjs');
  return laneUrl === undefined ? {} : { laneUrl };
}

/** The same for the checkpoint thread's program. */
export function checkpointAsset(): { checkpointLaneUrl?: URL } {
  const checkpointLaneUrl = moduleAsset('checkpoint-lane.mjs');
  return checkpointLaneUrl === undefined ? {} : { checkpointLaneUrl };
}

function moduleAsset(name: string): URL | undefined {
  if (!isSea()) return undefined;
  return new URL(`data:text/javascript,${encodeURIComponent(getAsset(name, 'utf8'))}`);
}
