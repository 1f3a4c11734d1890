/** Measures deliveries, so that a decoy can take as long as a real one (E06). */
import type { Random } from '../lib/id.ts';

/** The number of recent deliveries that are remembered. */
const REMEMBERED = 32;

export interface Pace {
  /** Remembers how long a delivery took, milliseconds. */
  note(milliseconds: number): void;
  /** Waits as long as one of the recent deliveries took, chosen at random. */
  keep(passedMs: number): Promise<void>;
}

/** A number from 0 to 1. */
export function fraction(random: Random): number {
  return random.bytes(2).readUInt16BE(0) / 65_536;
}

export function createPace(random: Random): Pace {
  const last: number[] = [];
  return {
    note: (milliseconds) => {
      last.push(milliseconds);
      if (last.length > REMEMBERED) last.shift();
    },
    keep: async (passedMs) => {
      const wanted = last[Math.floor(fraction(random) * last.length)] ?? 0;
      if (wanted > passedMs) {
        await new Promise((resolve) => setTimeout(resolve, wanted - passedMs).unref());
      }
    },
  };
}
