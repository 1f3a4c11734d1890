/**
 * Log lines: one event, one JSON object, one line. Field names are OpenTelemetry's. The fields are
 * an allow-list by type, so that no object can carry a secret into the log (G12).
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
  /** Displayed only on a terminal; the JSON lines omit it. */
  readonly 'user.name'?: string | undefined;
  readonly 'session.id'?: string;
  readonly 'api_key.id'?: string;
  /** The id of the API key that was created or revoked. */
  readonly 'api_key.subject'?: string;
  /** Who used the command line: the name of the system's user. */
  readonly operator?: string;
  readonly 'error.type'?: string;
  readonly 'exception.type'?: string;
  readonly 'exception.message'?: string;
  readonly 'exception.stacktrace'?: string;
  readonly duration_ms?: number;
  /** Authentication methods (RFC 8176). */
  readonly amr?: readonly string[];
  readonly factor?: string;
  /** A reason from a closed list. */
  readonly reason?: string;
  readonly count?: number;
  /** Of a telephone number: ISO 3166-1 alpha-2. */
  readonly country?: string;
  /** An origin in the spelling of browsers. */
  readonly origin?: string;
  readonly kid?: string;
  readonly algorithm?: string;
  readonly version?: string;
  readonly letter?: string;
  /** A signed checkpoint of the audit log (c2sp.org/tlog-checkpoint). */
  readonly note?: string;
  readonly listen?: readonly string[];
  readonly metrics?: readonly string[];
  readonly admin?: readonly string[];
  readonly public_url?: string;
  readonly database?: string;
  readonly config?: string;
}

/**
 * The line of a finished request. Written for each request, so its fields are fixed and its
 * serialiser is hand-written.
 */
export interface RequestLine {
  readonly requestId: string;
  /** A known method, or `_OTHER`. */
  readonly method: string;
  /** The route's template, never the path; empty if no route matched. */
  readonly route: string;
  readonly status: number;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly durationMs: number;
  /** The caller's trace id: hexadecimal digits only. */
  readonly trace?: Pick<LogFields, 'trace_id' | 'span_id' | 'trace_flags'> | undefined;
  readonly userId?: string | undefined;
  /** Displayed only on a terminal. */
  readonly userName?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly apiKeyId?: string | undefined;
  /** The problem code of a refusal. */
  readonly problem?: string | undefined;
}

/** A request line's fields under their names. */
export function requestFields(line: RequestLine): LogFields {
  return {
    request_id: line.requestId,
    ...line.trace,
    'http.request.method': line.method,
    'http.route': line.route,
    'http.response.status_code': line.status,
    'client.address': line.ip,
    'user_agent.original': line.userAgent,
    ...(line.userId === undefined ? {} : { 'user.id': line.userId }),
    ...(line.sessionId === undefined ? {} : { 'session.id': line.sessionId }),
    ...(line.apiKeyId === undefined ? {} : { 'api_key.id': line.apiKeyId }),
    ...(line.problem === undefined ? {} : { 'error.type': line.problem }),
    duration_ms: line.durationMs,
  };
}

export interface Log {
  /** Writes one event. `event` is `noun.verb` and stable, `message` is for people. */
  write(level: LogLevel, event: string, message: string, fields?: LogFields): void;
  /** Writes a request's line, event `http.request`. */
  request(level: LogLevel, line: RequestLine): void;
  /** False if a line of this level would be dropped, so that a hot path can skip building it. */
  enabled(level: LogLevel): boolean;
}

/** The same log with additional fields in each event. */
export function withFields(log: Log, fields: LogFields): Log {
  // Member by member, for there is one for each request: see the commit queue.
  return {
    write: (level, event, message, more) =>
      log.write(level, event, message, Object.assign({}, fields, more)),
    request: (level, line) => log.request(level, line),
    enabled: (level) => log.enabled(level),
  };
}

/**
 * The fields of an unexpected error. Its message may contain our code and SQL but no values:
 * statements are parameterised.
 */
export function exceptionFields(error: unknown): LogFields {
  if (!(error instanceof Error))
    return { 'exception.type': typeof error, 'exception.message': 'not an Error' };
  const chain: string[] = [];
  for (let e: unknown = error; e instanceof Error && chain.length < 5; e = e.cause)
    chain.push(`${e.name}: ${e.message}`);
  return {
    'exception.type': error.name,
    'exception.message': chain.join(' <- '),
    ...(error.stack === undefined ? {} : { 'exception.stacktrace': error.stack }),
  };
}
