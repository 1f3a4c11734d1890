/**
 * Log lines: one event, one JSON object, one line. Field names are OpenTelemetry's; the fields are an allow-list by type, so
 * that a secret can't slip in by way of an object that happens to have it (G12).
 */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

export interface LogFields {
  readonly request_id?: string;
  readonly trace_id?: string;
  readonly span_id?: string;
  readonly trace_flags?: string;
  readonly 'http.request.method'?: string;
  readonly 'http.route'?: string;
  readonly 'http.response.status_code'?: number;
  readonly 'client.address'?: string | null;
  readonly 'user_agent.original'?: string | null;
  readonly 'user.id'?: string;
  readonly 'session.id'?: string;
  readonly 'error.type'?: string;
  readonly 'exception.type'?: string;
  readonly 'exception.message'?: string;
  readonly 'exception.stacktrace'?: string;
  readonly duration_ms?: number;
  /** Methods of an authentication (RFC 8176). */
  readonly amr?: readonly string[];
  readonly factor?: string;
  /** A reason out of a closed list. */
  readonly reason?: string;
  readonly count?: number;
  readonly kid?: string;
  readonly algorithm?: string;
  readonly version?: string;
  readonly listen?: readonly string[];
  readonly public_url?: string;
  readonly database?: string;
  readonly config?: string;
}

export interface Log {
  /** Writes one event; `event` is `noun.verb` and stable, `message` is for people. */
  write(level: LogLevel, event: string, message: string, fields?: LogFields): void;
  /** False when a line of that level would be dropped, so that a hot path needn't build it. */
  enabled(level: LogLevel): boolean;
}

/** The fields of an unexpected error. Its message may name our own code and SQL, never a value: statements are parameterised. */
export function exceptionFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { 'exception.type': typeof error, 'exception.message': 'not an Error' };
  const chain: string[] = [];
  for (let e: unknown = error; e instanceof Error && chain.length < 5; e = e.cause) chain.push(`${e.name}: ${e.message}`);
  return { 'exception.type': error.name, 'exception.message': chain.join(' <- '), ...(error.stack === undefined ? {} : { 'exception.stacktrace': error.stack }) };
}
