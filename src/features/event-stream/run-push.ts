/** Runs the pushers of all streams beside the requests, until it is stopped. */
import { setTimeout as pause } from 'node:timers/promises';
import { exceptionFields } from '../../lib/log.ts';
import type { Log } from '../../lib/log.ts';
import type { Pusher } from './push-events.ts';

/** How soon a new event is seen, this process's or another's. */
const LOOK_MS = 200;
const LONGEST_WAIT_MS = 60_000;

async function runOne(pusher: Pusher, log: Log, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const { failed, isWhole } = await pusher.pass(signal);
      failures = failed > 0 ? failures + 1 : 0;
      if (failed === 0 && !isWhole) continue;
    } catch (error) {
      failures++;
      log.write('error', 'event.push_failed', 'events could not be read or noted', {
        ...exceptionFields(error),
      });
    }
    const wait = Math.min(LOOK_MS * 2 ** Math.min(failures, 20), LONGEST_WAIT_MS);
    await pause(wait, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** @returns what stops them and waits for the passes that run */
export function runPushers(pushers: readonly Pusher[], log: Log): () => Promise<void> {
  const stopping = new AbortController();
  const running = Promise.all(pushers.map((pusher) => runOne(pusher, log, stopping.signal)));
  return async () => {
    stopping.abort();
    await running;
    // A lease that is not ended runs out.
    await Promise.allSettled(pushers.map((pusher) => pusher.release()));
  };
}
