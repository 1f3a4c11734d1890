/**
 * The caller's trace, for the log: version 00 of `traceparent`, and the same part of later
 * versions.
 *
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
import type { LogFields } from '../lib/log.ts';

const FORM =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

export type Trace = Required<Pick<LogFields, 'trace_id' | 'span_id' | 'trace_flags'>>;

/** Undefined when absent or invalid: a trace only helps to find log lines and decides nothing. */
export function readTrace(traceparent: string | undefined): Trace | undefined {
  if (traceparent === undefined || traceparent.length > 256) return undefined;
  const [, version, traceId, spanId, flags, more] = FORM.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === '00' && more !== undefined) return undefined;
  return { trace_id: traceId, span_id: spanId, trace_flags: flags };
}
