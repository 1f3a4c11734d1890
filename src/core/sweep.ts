/** Removes rows that nothing reads any more (ASVS 14.2.7), a bounded number at a time. */
import type { Statement } from '../db/database.ts';

/** A statement that deletes at most `batch` rows that expired by `before`, and returns each. */
export type Sweep = (values: { before: number; batch: number }) => Statement<unknown>;

export interface ScheduledSweep {
  readonly sweep: Sweep;
  /** How long a row is kept after it expired, milliseconds. */
  readonly keptMs: number;
  /**
   * For rows that are kept by number: yields the latest time that may be removed, or no row while
   * there are few enough. It is read once, because finding it costs more than a batch.
   */
  readonly bound?: () => Statement<{ readonly before: number }>;
}
