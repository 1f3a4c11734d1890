/** Removing rows that nothing asks for any more (ASVS 14.2.7), a bounded number at a time. */
import type { Statement } from '../db/database.ts';

/** A statement that deletes at most `batch` rows that were over at `before`, and yields each. */
export type Sweep = (values: { before: number; batch: number }) => Statement<unknown>;

export interface ScheduledSweep {
  readonly sweep: Sweep;
  /** How long a row stays after it is over, milliseconds. */
  readonly keptMs: number;
}
