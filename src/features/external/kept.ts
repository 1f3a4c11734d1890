/**
 * What a provider publishes (its metadata, its keys): fetched when needed, kept, used for a day
 * while the provider can't be reached, and asked for again only after a pause (I03).
 */
import type { Clock } from '../../lib/clock.ts';
import { exceptionFields } from '../../lib/log.ts';
import type { Log } from '../../lib/log.ts';
import { Refusal } from '../../refusal.ts';

/** After a failure, nobody waits for the provider for this long. */
const FAILURE_PAUSE_MS = 5_000;
const FRESH_MS = 600_000;
/** While the provider can't be reached, its last answer is used for this long. */
const STALE_MS = 24 * 3_600_000;

export interface Fetched<T> {
  readonly value: T;
  /** Monotonic milliseconds. */
  readonly at: number;
}

export interface Kept<T> {
  /** @throws {Refusal} provider_unavailable: there is none that may still be used */
  get(): Promise<Fetched<T>>;
  /** Fetches it now. @throws {Refusal} provider_unavailable */
  renew(): Promise<void>;
}

export interface KeptDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** The name of the provider. */
  readonly name: string;
}

const unavailable = (cause?: unknown): Refusal =>
  new Refusal('provider_unavailable', { retryAfterSeconds: FAILURE_PAUSE_MS / 1000, cause });

/** Logs that a provider could not be asked. */
export function reportUnavailable(
  { log, name }: Pick<KeptDeps, 'log' | 'name'>,
  error: unknown,
): void {
  log.write('warn', 'provider.unavailable', 'an outside provider could not be asked', {
    ...exceptionFields(error),
    reason: name,
  });
}

export function createKept<T>(deps: KeptDeps, fetchIt: () => Promise<T>): Kept<T> {
  const { clock } = deps;
  let kept: Fetched<T> | undefined;
  let failedAt: number | undefined;
  let pending: Promise<void> | undefined;

  const load = async (): Promise<void> => {
    try {
      kept = { value: await fetchIt(), at: clock.monotonic() };
      failedAt = undefined;
    } catch (error) {
      failedAt = clock.monotonic();
      // What it needs could not be had, which is logged already.
      if (error instanceof Refusal) throw error;
      reportUnavailable(deps, error);
      throw unavailable(error);
    }
  };

  /** Requests that come meanwhile share one fetch. */
  const renew = (): Promise<void> => {
    const since = failedAt === undefined ? Infinity : clock.monotonic() - failedAt;
    if (since < FAILURE_PAUSE_MS) return Promise.reject(unavailable());
    pending ??= load().finally(() => (pending = undefined));
    return pending;
  };

  return {
    renew,
    get: async () => {
      const age = kept === undefined ? Infinity : clock.monotonic() - kept.at;
      if (age > FRESH_MS) {
        try {
          await renew();
        } catch (error) {
          if (age > STALE_MS) throw error;
        }
      }
      if (kept === undefined) throw unavailable();
      return kept;
    },
  };
}
