/**
 * What argon2 has to compute: a new hash, or the comparison with a stored one. A missing hash, a
 * refused one and one of another cost take the usual time, so that time reveals nothing about an
 * account (E01, E06). A hash of another cost or pepper is made anew after a match.
 */
import type { Random } from '../lib/id.ts';
import type { Argon2Input, LaneJob } from './hash-lanes.ts';
import { namePepper } from './pepper.ts';
import { formatPhc, isPayable, parsePhc } from './phc.ts';
import type { Argon2Cost, Phc } from './phc.ts';

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

export interface HashPlan {
  toHash(password: string): LaneJob & { readonly make: Argon2Input };
  toCheck(stored: string | null, password: string): PlannedCheck;
  /** The text to store of a hash that was made. */
  format(make: Argon2Input, hash: Uint8Array): string;
}

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
  function padding(paid: Argon2Cost): Argon2Input | null {
    const owedKiB = Math.floor(
      (cost.memoryKiB * cost.passes - paid.memoryKiB * paid.passes) / cost.passes,
    );
    return owedKiB < 8 * cost.lanes ? null : { ...dummy, memoryKiB: owedKiB };
  }

  return {
    toHash(password) {
      const make = input(random.bytes(SALT_BYTES));
      return { password, check: null, make, pad: null };
    },

    toCheck(stored, password) {
      const unreal = { job: { password, check: dummy, make: null, pad: null }, isReal: false };
      // argon2 would receive U+FFFD for a lone surrogate, which then matches another password (T4).
      if (stored === null || !password.isWellFormed()) return unreal;
      const phc = parsePhc(stored);
      if (typeof phc === 'string') {
        onRefused(phc);
        return unreal;
      }
      const secret = phc.keyId === null ? null : peppers.get(phc.keyId);
      if (secret === undefined) {
        onRefused('unknown_pepper');
        return unreal;
      }
      const { memoryKiB, passes, lanes, salt, hash } = phc;
      const paid = { memoryKiB, passes, lanes };
      const check = { salt, secret, length: hash.length, expected: hash, ...paid };
      if (isCurrent(phc)) return { job: { password, check, make: null, pad: null }, isReal: true };
      const make = input(random.bytes(SALT_BYTES));
      return { job: { password, check, make, pad: padding(phc) }, isReal: true };
    },

    format: ({ salt }, hash) => formatPhc({ keyId: pepper?.id ?? null, salt, hash, ...cost }),
  };
}
