/**
 * Unexpected errors in the log: one stack trace per distinct error and minute, however many
 * requests fail.
 */
import type { Clock } from '../lib/clock.ts';
import { exceptionFields } from '../lib/log.ts';
import type { LogFields } from '../lib/log.ts';

const AGAIN_MS = 60_000;
/** Errors are told apart by message, and some messages contain a path or a number. */
const MOST_KNOWN = 200;

/** The log fields of an error; without the stack trace if it was logged within the last minute. */
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
