/** Whether the database takes writes, and since when it doesn't; the log hears of each change. */
import type { Clock } from '../../lib/clock.ts';
import { exceptionFields } from '../../lib/log.ts';
import type { Log } from '../../lib/log.ts';

export type StorageChange =
  | { readonly state: 'write_lost'; readonly cause: unknown }
  | { readonly state: 'write_back' };

export interface Storage {
  /** When writes were lost, wall-clock milliseconds; null while they work. */
  readonly lostAt: number | null;
  /** For whoever opens the database. */
  note(change: StorageChange): void;
  /** Runs something each time that writes work again. */
  whenBack(run: () => Promise<void>): void;
}

export function createStorage({
  clock,
  log,
}: {
  readonly clock: Clock;
  readonly log: Log;
}): Storage {
  let lostAt: number | null = null;
  const afterwards: (() => Promise<void>)[] = [];
  const back = async (): Promise<void> => {
    for (const run of afterwards) await run();
  };
  return {
    get lostAt() {
      return lostAt;
    },
    note: (change) => {
      if (change.state === 'write_lost') {
        lostAt = clock.now();
        const message =
          'the database takes no writes (a full, read-only or failing disk, or a lock that is held); sessions are still refreshed for sessions.refresh_when_read_only';
        log.write('error', 'database.write_lost', message, exceptionFields(change.cause));
        return;
      }
      const lostMs = lostAt === null ? 0 : clock.now() - lostAt;
      lostAt = null;
      log.write('info', 'database.write_back', 'the database takes writes again', {
        duration_ms: lostMs,
      });
      void back().catch((error: unknown) =>
        log.write(
          'error',
          'database.write_lost',
          'what had to wait for a write could not be written',
          exceptionFields(error),
        ),
      );
    },
    whenBack: (run) => void afterwards.push(run),
  };
}
