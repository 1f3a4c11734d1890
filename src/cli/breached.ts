/**
 * `postern breached build`: builds a filter file from a list of SHA-1 hashes of breached passwords,
 * one `HASH:COUNT` per line.
 */
import { createReadStream, openSync, closeSync, fsyncSync, renameSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { writeFilter } from '../core/password/fuse-filter.ts';
import type { Keys } from '../core/password/fuse-filter.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

const LINE = /^([0-9A-Fa-f]{40})(?::(\d+))?$/;
/** Approximate number of keys per shard; a shard is built in memory. */
const SHARD_KEYS = 1_000_000;

export const breachedBuild: Verb = {
  name: 'breached build',
  summary:
    'Builds the filter file for password.breached_file from a list in the format of Have I Been Pwned (SHA-1).',
  examples: [
    'postern breached build pwned-passwords-sha1.txt --out breached.filter',
    'postern breached build list.txt --out /var/lib/postern/breached.filter --min-count 3',
  ],
  arguments: [{ name: '<list>', sentence: 'lines of 40 hexadecimal digits, a colon and a count' }],
  options: [
    { flags: '--out <file>', sentence: 'where to write the filter' },
    {
      flags: '--min-count <n>',
      sentence: 'leave out hashes that were seen fewer times',
      default: '1',
    },
    JSON_OPTION,
  ],
  run: async (call) => {
    const [list = ''] = call.arguments;
    const out = call.text('out');
    if (out === undefined)
      throw new CliRefusal(EXIT.usage, '--out is missing\nsee: postern breached build --help');
    const least = Number(call.text('min-count') ?? '1');
    if (!Number.isSafeInteger(least) || least < 1)
      throw new CliRefusal(
        EXIT.usage,
        '--min-count needs a whole number above 0\nsee: postern breached build --help',
      );
    const { keys, count } = await readKeys(list, least);
    const bits = Math.max(0, Math.min(12, Math.ceil(Math.log2(Math.max(1, count / SHARD_KEYS)))));
    const parts = writeFilter(bits, count, shardsOf(keys, count, bits));
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    writeWhole(out, parts);
    if (call.has('json')) call.output.answerJson({ count, bytes });
    else
      call.output.answer(
        `${out}: ${count} hashes in ${bytes} bytes. Set password.breached_file to it.`,
      );
    return EXIT.done;
  },
};

/** The first 64 bits of each hash, sorted, without duplicates. */
async function readKeys(
  list: string,
  least: number,
): Promise<{ keys: BigUint64Array; count: number }> {
  const keys = new KeyList();
  let number = 0;
  const lines = createInterface({ input: createReadStream(list, 'latin1'), crlfDelay: Infinity });
  try {
    for await (const line of lines) {
      number++;
      if (line === '') continue;
      const [, hash, times = '1'] = LINE.exec(line) ?? [];
      if (hash === undefined)
        throw new CliRefusal(
          EXIT.failed,
          `${list}:${number} is not 40 hexadecimal digits, a colon and a count. Nothing was written.`,
        );
      if (Number(times) >= least) keys.push(BigInt(`0x${hash.slice(0, 16)}`));
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw new CliRefusal(EXIT.failed, `${list} does not exist.`);
    throw error;
  }
  if (keys.count === 0)
    throw new CliRefusal(EXIT.failed, `${list} contains no hash. Nothing was written.`);
  return keys.sortDistinct();
}

/**
 * Keys in one typed array, which doubles when it is full: an array of bigints would take ten times
 * the memory.
 */
class KeyList {
  #keys = new BigUint64Array(1 << 20);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push(key: bigint): void {
    if (this.#count === this.#keys.length) {
      const more = new BigUint64Array(2 * this.#keys.length);
      more.set(this.#keys);
      this.#keys = more;
    }
    this.#keys[this.#count++] = key;
  }

  /** Sorts in place; only the first `count` keys of the result are used. */
  sortDistinct(): { keys: BigUint64Array; count: number } {
    const keys = this.#keys.subarray(0, this.#count).sort();
    let distinct = Math.min(1, keys.length);
    for (let i = 1; i < keys.length; i++)
      if (keys[i] !== keys[i - 1]) keys[distinct++] = keys[i] ?? 0n;
    return { keys, count: distinct };
  }
}

function* shardsOf(keys: BigUint64Array, count: number, bits: number): Generator<Keys> {
  let from = 0;
  for (let shard = 0; shard < 2 ** bits; shard++) {
    let to = from;
    while (to < count && (bits === 0 || Number((keys[to] ?? 0n) >> BigInt(64 - bits)) === shard))
      to++;
    const halves = new Uint32Array(2 * (to - from));
    for (let i = from; i < to; i++) {
      const key = keys[i] ?? 0n;
      halves[2 * (i - from)] = Number(key >> 32n);
      halves[2 * (i - from) + 1] = Number(key & 0xffffffffn);
    }
    from = to;
    yield halves;
  }
}

function writeWhole(path: string, parts: readonly Buffer[]): void {
  const file = openSync(`${path}.part`, 'w', 0o644);
  try {
    for (const part of parts) writeSync(file, part);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.part`, path);
}
