/**
 * Unexpected errors in the log: one stack for each fault and minute, however many requests meet it.
 */
import type { Clock } from '../lib/clock.ts';
import { exceptionFields } from '../lib/log.ts';
import type { LogFields } from '../lib/log.ts';

const AGAIN_MS = 60_000;
/** Messages come from programs, and some carry a path or a number. */
const MOST_KNOWN = 200;

/** The fields of an error; without its stack when that was written within the last minute. */
export type FaultFields = (error: unknown) => LogFields;

export function faultFields(clock: Pick<Clock, 'monotonic'>): FaultFields {
  const writtenAt = new Map<string, number>();
  return (error) => {
    const { 'exception.stacktrace': stack, ...fields } = exceptionFields(error);
    const name = String(fields['exception.message']);
    const now = clock.monotonic();
    const last = writtenAt.get(name);
    if (last !== undefined && now - last < AGAIN_MS) return fields;
    if (writtenAt.size >= MOST_KNOWN) writtenAt.clear();
    writtenAt.set(name, now);
    return stack === undefined ? fields : { ...fields, 'exception.stacktrace': stack };
  };
}
