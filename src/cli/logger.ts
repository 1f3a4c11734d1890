/**
 * The log of a running service: pino's JSON lines, or one line per request on a terminal. pino is
 * as fast as hand-written JSON and its escaping is well tested. Its transports are not used (they
 * are threads loaded by path). A failure to write the log stops nothing (G12).
 */
import pino from 'pino';
import type { DestinationStream } from 'pino';
import type { Log, LogFields, LogLevel, RequestLine } from '../lib/log.ts';
import type { OutputStream } from './context.ts';
import { createLineBuffer } from './line-buffer.ts';
import { terminalLog } from './terminal-log.ts';
import type { TerminalLog } from './terminal-log.ts';

export interface RunningLog extends Log {
  /** Writes out what is buffered. */
  flush(): void;
  /** Changes the least severe level that is written. */
  setLevel(level: LogLevel): void;
}

/**
 * Lines are buffered up to this many milliseconds or bytes: one write per line would cost more than
 * the request.
 */
const GATHER_MS = 100;
const GATHER_BYTES = 65_536;
/** When a reader is this far behind, lines are dropped rather than blocking the service. */
const MAX_BEHIND_BYTES = 16 * 1_048_576;

export function createLogger(options: {
  level: LogLevel;
  pretty: boolean;
  stdout: OutputStream;
  /** Translates a stack trace to the files of src/. */
  mapStack?: (stack: string) => string;
}): RunningLog {
  const { mapStack = (stack) => stack } = options;
  const mapped = ({ 'user.name': _, ...fields }: LogFields = {}): LogFields => {
    const stack = fields['exception.stacktrace'];
    return stack === undefined ? fields : { ...fields, 'exception.stacktrace': mapStack(stack) };
  };
  if (options.pretty) return terminalLogger(options.level, terminalLog(options.stdout), mapStack);
  const file = pino.destination({
    dest: 1,
    sync: false,
    maxLength: MAX_BEHIND_BYTES,
    contentMode: 'buffer',
  });
  file.on('error', () => undefined);
  const texts: LineTexts = { isoNow: isoClock(), agentText: agentTexts(), mapped };
  const lines = createLineBuffer(GATHER_BYTES, (bytes) => {
    // Its types only have strings, but in this mode it passes bytes.
    Reflect.apply(file.write, file, [bytes]);
  });
  const destination: DestinationStream = { write: (line) => lines.add(visible(line)) };
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${texts.isoNow()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const flush = (): void => {
    try {
      lines.pass();
      file.flushSync();
    } catch {
      // Not opened yet, or closed: nothing can be done about the log.
    }
  };
  setInterval(lines.pass, GATHER_MS).unref();
  return {
    write: (level: LogLevel, event: string, message: string, fields?: LogFields) =>
      logger[level]({ event, ...mapped(fields) }, message),
    request: (level, line) => {
      if (!logger.isLevelEnabled(level)) return;
      lines.add(requestText(level, line, texts));
    },
    enabled: (level) => logger.isLevelEnabled(level),
    flush,
    setLevel: (level) => {
      logger.level = level;
    },
  };
}

const LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error'];

function terminalLogger(
  least: LogLevel,
  lines: TerminalLog,
  mapStack: (stack: string) => string,
): RunningLog {
  let enabledFrom = LEVELS.indexOf(least);
  const enabled = (level: LogLevel): boolean => LEVELS.indexOf(level) >= enabledFrom;
  return {
    write: (level, event, message, fields) => {
      if (!enabled(level)) return;
      const stack = fields?.['exception.stacktrace'];
      const mapped = stack === undefined ? {} : { 'exception.stacktrace': mapStack(stack) };
      lines.event(level, event, message, { ...fields, ...mapped });
    },
    request: (level, line) => {
      if (enabled(level)) lines.request(level, line);
    },
    enabled,
    flush: () => undefined,
    setLevel: (level) => {
      enabledFrom = LEVELS.indexOf(level);
    },
  };
}

/**
 * Control characters and line ends that JSON allows and terminals obey: C1 (CSI is one), DEL,
 * U+2028, U+2029 (ASVS 16.4.1).
 */
const INVISIBLE = /[\u007f-\u009f\u2028\u2029]/g;

function visible(line: string): string {
  return INVISIBLE.test(line)
    ? line.replace(
        INVISIBLE,
        (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
    : line;
}

/** RFC 3339 with milliseconds; the part down to the second is formatted once per second. */
function isoClock(): () => string {
  let lastSecond = -1;
  let secondText = '';
  return () => {
    const now = Date.now();
    const second = Math.floor(now / 1000);
    if (second !== lastSecond) {
      lastSecond = second;
      secondText = new Date(second * 1000).toISOString().slice(0, 20);
    }
    return `${secondText}${String(now % 1000).padStart(3, '0')}Z`;
  };
}

const KNOWN_AGENTS = 256;

/** User agents are untrusted: escaped by JSON.stringify, and cached, because the same few recur. */
function agentTexts(): (agent: string | null) => string {
  const known = new Map<string, string>();
  return (agent) => {
    if (agent === null) return 'null';
    const text = known.get(agent) ?? visible(JSON.stringify(agent));
    if (known.size >= KNOWN_AGENTS) known.clear();
    known.set(agent, text);
    return text;
  };
}

/** The state of one log. */
interface LineTexts {
  readonly isoNow: () => string;
  readonly agentText: (agent: string | null) => string;
  readonly mapped: (fields: LogFields) => LogFields;
}

/**
 * A request's line as pino would write it, at a third of the cost: all fields but the user agent
 * consist of characters that need no escaping (ids, methods, route templates, addresses, codes).
 */
function requestText(level: LogLevel, line: RequestLine, texts: LineTexts): string {
  const { isoNow, agentText } = texts;
  const { userId, sessionId, apiKeyId, problem, ip, trace } = line;
  return (
    `{"level":"${level}","time":"${isoNow()}","event":"http.request","request_id":"${line.requestId}","http.request.method":"${line.method}","http.route":"${line.route}",` +
    `"http.response.status_code":${line.status},"client.address":${ip === null ? 'null' : `"${ip}"`},"user_agent.original":${agentText(line.userAgent)},` +
    (trace === undefined ? '' : `${JSON.stringify(trace).slice(1, -1)},`) +
    (userId === undefined ? '' : `"user.id":"${userId}","session.id":"${sessionId ?? ''}",`) +
    (apiKeyId === undefined ? '' : `"api_key.id":"${apiKeyId}",`) +
    (problem === undefined ? '' : `"error.type":"${problem}",`) +
    `"duration_ms":${line.durationMs},"message":""}\n`
  );
}
