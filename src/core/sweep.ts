/** Removes rows that nothing reads any more (ASVS 14.2.7), a bounded number at a time. */
import type { Statement } from '../db/database.ts';

/** A statement that deletes at most `batch` rows that expired by `before`, and returns each. */
export type Sweep = (values: { before: number; batch: number }) => Statement<unknown>;

export interface ScheduledSweep {
  readonly sweep: Sweep;
  /** How long a row is kept after it expired, milliseconds. */
  readonly keptMs: number;
}
