/**
 * A set of 64-bit keys in about 18 bits each: a binary fuse filter with 16-bit fingerprints, split
 * into shards by the keys' first bits, so that a list of any length is built one shard at a time.
 * There are no false negatives; the false positive rate is 1 in 65,536.
 *
 * @see https://arxiv.org/abs/2201.01174 (Graf, Lemire: Binary Fuse Filters)
 */

const MAGIC = 'PSTNBF01';
const HEADER_BYTES = 16;
/** The header of each shard: offset (48 bits, in bytes), seed, segment length, segment count. */
const SHARD_BYTES = 24;
const MAX_ROUNDS = 100;

/** Keys of one shard as pairs of 32-bit halves: high, low, high, low. */
export type Keys = Uint32Array;

interface Layout {
  readonly segmentLength: number;
  readonly segmentCount: number;
}

function layoutOf(size: number): Layout {
  if (size < 2) return { segmentLength: 4, segmentCount: 1 };
  const segmentLength = Math.min(
    262_144,
    2 ** Math.max(2, Math.floor(Math.log(size) / Math.log(3.33) + 2.25)),
  );
  const factor = Math.max(1.125, 0.875 + (0.25 * Math.log(1_000_000)) / Math.log(size));
  const segmentCount = Math.max(1, Math.ceil((size * factor) / segmentLength) - 2);
  return { segmentLength, segmentCount };
}

/** One half of a 64-bit mix of both halves of the key and a seed (the finaliser of murmur3). */
function mix(a: number, b: number, seed: number): number {
  let h = Math.imul(a ^ seed, 0x85ebca6b) ^ Math.imul(b + seed, 0xc2b2ae35);
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The parameters that determine the slots of a shard's keys. */
interface Placement extends Layout {
  readonly seed: number;
}

/** Writes the three slots of a key to `out`. @returns its fingerprint */
function place(
  high: number,
  low: number,
  { seed, segmentLength, segmentCount }: Placement,
  out: Uint32Array,
): number {
  const one = mix(high, low, seed);
  const two = mix(low, high, seed ^ 0x9e3779b9);
  const first = Math.floor((one / 4_294_967_296) * (segmentCount * segmentLength));
  const mask = segmentLength - 1;
  out[0] = first;
  out[1] = (first + segmentLength) ^ ((two >>> 14) & mask);
  out[2] = (first + 2 * segmentLength) ^ (two & mask);
  return ((one ^ (two >>> 7)) & 0xffff) >>> 0;
}

/** Computes the slots of a shard's key by its index. */
function placeKey(keys: Keys, key: number, placement: Placement, out: Uint32Array): number {
  return place(keys[2 * key] ?? 0, keys[2 * key + 1] ?? 0, placement, out);
}

interface Shard {
  readonly placement: Placement;
  readonly fingerprints: Uint16Array;
}

/**
 * Builds one shard. @throws {Error} when no seed works, which does not happen with distinct keys
 */
function buildShard(keys: Keys): Shard {
  const layout = layoutOf(keys.length / 2);
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const placement = { ...layout, seed: Math.imul(round, 0x27d4eb2f) >>> 0 };
    const order = peel(keys, placement);
    if (order !== null) return { placement, fingerprints: fingerprintsOf(keys, order, placement) };
  }
  throw new Error('no seed works for these keys: some of them are duplicates');
}

function slotCount({ segmentLength, segmentCount }: Layout): number {
  return (segmentCount + 2) * segmentLength;
}

/** The keys at each slot: their number, and the XOR of their indices. */
class Occupants {
  readonly counts: Uint32Array;
  readonly #xors: Uint32Array;

  constructor(slots: number) {
    this.counts = new Uint32Array(slots);
    this.#xors = new Uint32Array(slots);
  }

  /** Adds a key to a slot, or removes it. @returns the number of keys in the slot afterwards */
  change(slot: number, key: number, by: 1 | -1): number {
    const count = (this.counts[slot] ?? 0) + by;
    this.counts[slot] = count;
    this.#xors[slot] = (this.#xors[slot] ?? 0) ^ key;
    return count;
  }

  /** The key of a slot that has exactly one. */
  only(slot: number): number {
    return this.#xors[slot] ?? 0;
  }
}

/** Keys in the order of removal, each with the slot in which it was the only one. */
interface Order {
  readonly keys: Uint32Array;
  readonly slots: Uint32Array;
}

/** Removes keys that are the only one in a slot until none is left; null if that gets stuck. */
function peel(keys: Keys, placement: Placement): Order | null {
  const size = keys.length / 2;
  const at = new Uint32Array(3);
  const occupants = new Occupants(slotCount(placement));
  for (let key = 0; key < size; key++) {
    placeKey(keys, key, placement, at);
    for (const slot of at) occupants.change(slot, key, 1);
  }
  const { counts } = occupants;
  const alone: number[] = [];
  for (let slot = 0; slot < counts.length; slot++) if (counts[slot] === 1) alone.push(slot);
  const order = { keys: new Uint32Array(size), slots: new Uint32Array(size) };
  let taken = 0;
  for (let slot = alone.pop(); slot !== undefined; slot = alone.pop()) {
    if (counts[slot] !== 1) continue;
    const key = occupants.only(slot);
    order.keys[taken] = key;
    order.slots[taken] = slot;
    taken++;
    placeKey(keys, key, placement, at);
    for (const other of at) if (occupants.change(other, key, -1) === 1) alone.push(other);
  }
  return taken === size ? order : null;
}

/**
 * Assigns fingerprints in reverse order of removal: each key then has a slot that no later one
 * changes.
 */
function fingerprintsOf(keys: Keys, order: Order, placement: Placement): Uint16Array {
  const at = new Uint32Array(3);
  const fingerprints = new Uint16Array(slotCount(placement));
  for (let i = order.keys.length - 1; i >= 0; i--) {
    const own = order.slots[i] ?? 0;
    let value = placeKey(keys, order.keys[i] ?? 0, placement, at);
    for (const slot of at) if (slot !== own) value ^= fingerprints[slot] ?? 0;
    fingerprints[own] = value;
  }
  return fingerprints;
}

/**
 * Writes the file of a set: `shards` in the order of the keys' first `bits` bits, each with
 * distinct keys.
 */
export function writeFilter(bits: number, count: number, shards: Iterable<Keys>): Buffer[] {
  const number = 2 ** bits;
  const head = Buffer.alloc(HEADER_BYTES + number * SHARD_BYTES);
  head.write(MAGIC, 0, 'latin1');
  head.writeUInt8(bits, 8);
  head.writeUIntBE(count, 9, 6);
  const parts: Buffer[] = [head];
  let offset = head.length;
  let index = 0;
  for (const keys of shards) {
    const { placement, fingerprints } = buildShard(keys);
    const at = HEADER_BYTES + index * SHARD_BYTES;
    head.writeUIntBE(offset, at, 6);
    head.writeUInt32BE(placement.seed, at + 6);
    head.writeUInt32BE(placement.segmentLength, at + 10);
    head.writeUInt32BE(placement.segmentCount, at + 14);
    const body = Buffer.from(fingerprints.buffer);
    parts.push(body);
    offset += body.length;
    index++;
  }
  if (index !== number) throw new Error('a shard is missing');
  return parts;
}

export interface Filter {
  /** Number of keys in the set. */
  readonly count: number;
  has(high: number, low: number): boolean;
}

/** Reads a filter. @throws {Error} the bytes are not a filter, or are truncated */
export function readFilter(bytes: Buffer): Filter {
  if (bytes.length < HEADER_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC)
    throw new Error('not a filter of postern');
  const bits = bytes.readUInt8(8);
  const count = bytes.readUIntBE(9, 6);
  const number = 2 ** bits;
  if (bits > 16 || bytes.length < HEADER_BYTES + number * SHARD_BYTES)
    throw new Error('the filter is cut off');
  const shards: { offset: number; placement: Placement }[] = [];
  for (let index = 0; index < number; index++) {
    const at = HEADER_BYTES + index * SHARD_BYTES;
    const offset = bytes.readUIntBE(at, 6);
    const placement = {
      seed: bytes.readUInt32BE(at + 6),
      segmentLength: bytes.readUInt32BE(at + 10),
      segmentCount: bytes.readUInt32BE(at + 14),
    };
    if (offset + 2 * slotCount(placement) > bytes.length) throw new Error('the filter is cut off');
    shards.push({ offset, placement });
  }
  const at = new Uint32Array(3);
  return {
    count,
    has: (high, low) => {
      const shard = shards[bits === 0 ? 0 : high >>> (32 - bits)];
      if (shard === undefined) return false;
      let value = place(high, low, shard.placement, at);
      for (const slot of at) value ^= bytes.readUInt16LE(shard.offset + 2 * slot);
      return value === 0;
    },
  };
}
