/** What the figures were measured on. Not one of them means anything without it. */
import { closeSync, fdatasyncSync, openSync, readFileSync, statfsSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { CAN_PIN } from './jobs.mjs';
import { median } from './bars.mjs';

const TMPFS = 0x01021994;

/** Whether nothing that is written here ever gets to a disk. @param {string} folder */
export function isInMemory(folder) {
  return statfsSync(folder).type === TMPFS;
}

/**
 * Milliseconds that one flush of a 4 KiB write takes: the median of 50, and the range.
 *
 * @param {string} folder
 */
export function flushTimes(folder) {
  const file = openSync(join(folder, 'flush'), 'w');
  const page = Buffer.alloc(4096, 1);
  const times = Array.from({ length: 50 }, () => {
    writeSync(file, page);
    const start = performance.now();
    fdatasyncSync(file);
    return performance.now() - start;
  });
  closeSync(file);
  return { median: median(times), least: Math.min(...times), most: Math.max(...times) };
}

/** @param {string} name */
function versionOf(name) {
  try {
    return String(
      JSON.parse(
        readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8'),
      ).version,
    );
  } catch {
    return '?';
  }
}

function hugePages() {
  try {
    return (
      /\[(\w+)\]/.exec(
        readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'latin1'),
      )?.[1] ?? '?'
    );
  } catch {
    return '?';
  }
}

/** @param {string} folder where databases are */
export function describeMachine(folder) {
  const flush = flushTimes(folder);
  const libraries = ['hono', '@hono/node-server', '@node-rs/argon2', 'libsql', 'jose'].map(
    (name) => `${name} ${versionOf(name)}`,
  );
  return [
    `- ${availableParallelism()} cores, ${cpus()[0]?.model.trim() ?? '?'}, ${(totalmem() / 1e9).toFixed(0)} GB, Linux ${release()}, transparent huge pages ${hugePages()}, load average ${loadavg()
      .map((value) => value.toFixed(1))
      .join(' ')}`,
    `- one fdatasync: ${flush.median.toFixed(2)} ms (${flush.least.toFixed(2)} to ${flush.most.toFixed(2)})${isInMemory(folder) ? '; the folder is in memory, so that durable writes cost nothing here' : ''}`,
    `- Node ${process.versions.node}, ${libraries.join(', ')}`,
    `- ${CAN_PIN ? 'server on one core, client on another; while passwords are hashed, both on all' : 'not pinned to cores (no taskset, or one core): client and server may be in each other’s way'}`,
  ].join('\n');
}
