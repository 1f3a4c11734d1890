/** Tracks whether the database accepts writes, and since when not; logs each change. */
import type { Clock } from '../../lib/clock.ts';
import { exceptionFields } from '../../lib/log.ts';
import type { Log } from '../../lib/log.ts';

export type StorageChange =
  | { readonly state: 'write_lost'; readonly cause: unknown }
  | { readonly state: 'write_back' };

export interface Storage {
  /** When writes began to fail, wall-clock milliseconds; null while they work. */
  readonly lostAt: number | null;
  /** For the code that opens the database. */
  note(change: StorageChange): void;
  /** Calls a function each time that writes work again. */
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
          'a write that was postponed has failed',
          exceptionFields(error),
        ),
      );
    },
    whenBack: (run) => void afterwards.push(run),
  };
}
