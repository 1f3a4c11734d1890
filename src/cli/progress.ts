/**
 * Progress of long work, to stderr once it takes over a second: on a terminal one line that is
 * redrawn, elsewhere a JSON line every five seconds.
 */
import type { VerbCall } from './verb.ts';

export interface Progress {
  (done: number, total: number): void;
  /** Ends the line. */
  end(): void;
}

const AFTER_MS = 1_000;
const REDRAW_MS = 200;
const LINE_EVERY_MS = 5_000;
const BAR = 10;

/** @param what as in `copying` */
export function createProgress({ context }: VerbCall, what: string): Progress {
  const { stderr, clock } = context;
  const isTerminal = stderr.isTTY === true;
  const started = clock.monotonic();
  let drawn = Number.NEGATIVE_INFINITY;
  let isShown = false;
  const show = (done: number, total: number): void => {
    const now = clock.monotonic();
    if (now - started < AFTER_MS) return;
    if (now - drawn < (isTerminal ? REDRAW_MS : LINE_EVERY_MS)) return;
    drawn = now;
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const seconds = (now - started) / 1000;
    if (!isTerminal) {
      const line = { event: 'progress', what, done, total, seconds: Math.round(seconds) };
      stderr.write(`${JSON.stringify(line)}\n`);
      return;
    }
    isShown = true;
    const full = Math.floor(share * BAR);
    const bar = `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}]`;
    const left = share === 0 ? '' : `  ${Math.ceil((seconds / share) * (1 - share))} s left`;
    stderr.write(`\r${what} ${bar} ${Math.floor(share * 100)} %${left}   `);
  };
  return Object.assign(show, {
    end: () => {
      if (isShown) stderr.write('\r\u001b[K');
    },
  });
}
