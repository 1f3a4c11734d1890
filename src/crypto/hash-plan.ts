/**
 * What a lane has to compute: a new hash, or the comparison with a stored one. A missing hash, a
 * refused one and one of another cost take the usual time, so that time reveals nothing about an
 * account (E01, E06). A hash of another cost, pepper or system is made anew after a match; that of
 * another system takes the time that its makers chose, and at least the usual one.
 */
import type { Random } from '../lib/id.ts';
import { isImportable, parseForeign, workKiB } from './foreign-hash.ts';
import type { Argon2Input, LaneJob } from './hash-lanes.ts';
import { namePepper } from './pepper.ts';
import { formatPhc, isPayable, parsePhc } from './phc.ts';
import type { Argon2Cost, Phc } from './phc.ts';
import { digitsOf, parseWrapped } from './wrapped-hash.ts';
import type { InnerDigest } from './wrapped-hash.ts';

export interface HashPlanOptions {
  readonly cost: Argon2Cost;
  /** A secret kept apart from the database (N4); at least 16 bytes of UTF-8. */
  readonly pepper: string | undefined;
  /** Peppers that still verify. */
  readonly previousPeppers: readonly string[];
  readonly random: Random;
  readonly onRefused: (reason: StoredRefusal) => void;
}

export type StoredRefusal = 'malformed' | 'cost' | 'unknown_pepper';

export interface PlannedCheck {
  readonly job: LaneJob;
  /** Whether it can succeed: a comparison without a hash only takes the same time. */
  readonly isReal: boolean;
}

/** What becomes of a hash of another system: kept, refused, or hashed once more. */
export type Adoption =
  | { readonly kind: 'keep' }
  | { readonly kind: 'refuse'; readonly reason: StoredRefusal }
  | { readonly kind: 'wrap'; readonly inner: InnerDigest; readonly digits: string };

export interface HashPlan {
  /** Of a hash that comes from elsewhere, in any known spelling. */
  toAdopt(text: string): Adoption;
  toHash(password: string): LaneJob & { readonly make: Argon2Input };
  toCheck(stored: string | null, password: string): PlannedCheck;
  /** The text to store of a hash that was made. */
  format(make: Argon2Input, hash: Uint8Array): string;
}

const OWN = '$argon2id$';
/** A job that does nothing yet. */
const NOTHING = { check: null, inner: null, foreign: null, make: null, pad: null } as const;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** @throws RangeError for a cost that argon2 or phc.ts does not take, or a pepper that is too short */
export function createHashPlan(options: HashPlanOptions): HashPlan {
  const { cost, random, onRefused } = options;
  if (!isPayable(cost)) throw new RangeError('the cost of password hashing is out of range');
  const pepper = options.pepper === undefined ? null : namePepper(options.pepper);
  const peppers = new Map(
    [...options.previousPeppers.map(namePepper), ...(pepper ? [pepper] : [])].map((p) => [
      p.id,
      p.secret,
    ]),
  );
  const dummy = {
    expected: new Uint8Array(random.bytes(HASH_BYTES)),
    ...input(random.bytes(SALT_BYTES)),
  };

  function input(salt: Uint8Array): Argon2Input {
    return {
      salt: new Uint8Array(salt),
      secret: pepper?.secret ?? null,
      length: HASH_BYTES,
      ...cost,
    };
  }

  function isCurrent(phc: Phc): boolean {
    const sameCost =
      phc.memoryKiB === cost.memoryKiB && phc.passes === cost.passes && phc.lanes === cost.lanes;
    return (
      sameCost &&
      phc.keyId === (pepper?.id ?? null) &&
      phc.salt.length === SALT_BYTES &&
      phc.hash.length === HASH_BYTES
    );
  }

  /**
   * Extra work after a mismatch at a lower cost, so that it takes as long as at the current cost.
   */
  function padding(paidKiB: number): Argon2Input | null {
    const owedKiB = Math.floor((cost.memoryKiB * cost.passes - paidKiB) / cost.passes);
    return owedKiB < 8 * cost.lanes ? null : { ...dummy, memoryKiB: owedKiB };
  }

  /** The pepper of a stored hash; undefined if it is not configured. */
  const secretOf = ({ keyId }: Phc): Uint8Array | null | undefined =>
    keyId === null ? null : peppers.get(keyId);

  /** The comparison with an argon2id hash, of the password or of a fast hash of it. */
  function toCheckOwn(
    text: string,
    password: string,
    inner: InnerDigest | null,
  ): LaneJob | StoredRefusal {
    const phc = parsePhc(text);
    if (typeof phc === 'string') return phc;
    const secret = secretOf(phc);
    if (secret === undefined) return 'unknown_pepper';
    const { memoryKiB, passes, lanes, salt, hash } = phc;
    const paid = { memoryKiB, passes, lanes };
    const check = { salt, secret, length: hash.length, expected: hash, ...paid };
    const job = { ...NOTHING, password, check, inner };
    if (isCurrent(phc) && inner === null) return job;
    const make = input(random.bytes(SALT_BYTES));
    return { ...job, make, pad: padding(memoryKiB * passes) };
  }

  function toCheckStored(stored: string, password: string): LaneJob | StoredRefusal {
    const wrapped = parseWrapped(stored);
    if (wrapped !== null) return toCheckOwn(wrapped.outer, password, wrapped.inner);
    if (stored.startsWith(OWN)) return toCheckOwn(stored, password, null);
    const foreign = parseForeign(stored);
    if (typeof foreign === 'string') return foreign;
    // A fast hash was wrapped at its import.
    if (foreign.kind === 'fast') return 'malformed';
    const make = input(random.bytes(SALT_BYTES));
    return { ...NOTHING, password, foreign, make, pad: padding(workKiB(foreign)) };
  }

  /** What is wrong with an argon2id hash from elsewhere. */
  function ownRefusal(text: string): StoredRefusal | null {
    const phc = parsePhc(text);
    if (typeof phc === 'string') return phc;
    if (secretOf(phc) === undefined) return 'unknown_pepper';
    return isImportable(phc) || isCurrent(phc) ? null : 'cost';
  }

  return {
    toAdopt(text) {
      const own = parseWrapped(text)?.outer ?? (text.startsWith(OWN) ? text : null);
      const foreign = own === null ? parseForeign(text) : ownRefusal(own);
      if (typeof foreign === 'string') return { kind: 'refuse', reason: foreign };
      if (foreign?.kind !== 'fast') return { kind: 'keep' };
      return { kind: 'wrap', inner: foreign.inner, digits: digitsOf(foreign.value) };
    },

    toHash(password) {
      const make = input(random.bytes(SALT_BYTES));
      return { ...NOTHING, password, make };
    },

    toCheck(stored, password) {
      const unreal = { job: { ...NOTHING, password, check: dummy }, isReal: false };
      // argon2 would receive U+FFFD for a lone surrogate, which then matches another password (T4).
      if (stored === null || !password.isWellFormed()) return unreal;
      const job = toCheckStored(stored, password);
      if (typeof job !== 'string') return { job, isReal: true };
      onRefused(job);
      return unreal;
    },

    format: ({ salt }, hash) => formatPhc({ keyId: pepper?.id ?? null, salt, hash, ...cost }),
  };
}
