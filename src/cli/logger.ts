/**
 * The log of a running service: pino's JSON lines, or text for people on a terminal. pino because
 * it is as fast as writing the JSON by hand and its escaping is proved; no transports, which are
 * threads found by path. A log that can't be written stops nothing.
 */
import { styleText } from 'node:util';
import pino from 'pino';
import type { DestinationStream } from 'pino';
import { requestFields } from '../lib/log.ts';
import type { Log, LogFields, LogLevel, RequestLine } from '../lib/log.ts';
import type { OutputStream } from './context.ts';

export interface RunningLog extends Log {
  /** Writes out what is buffered. */
  flush(): void;
}

/**
 * Lines are gathered for so long (milliseconds) or so many characters: a write each would cost more
 * than the request.
 */
const GATHER_MS = 100;
const GATHER_CHARACTERS = 65_536;
/** A reader that is so far behind loses lines rather than stop the service. */
const MAX_BEHIND_BYTES = 16 * 1_048_576;

export function createLogger(options: {
  level: LogLevel;
  pretty: boolean;
  stdout: OutputStream;
}): RunningLog {
  const file = options.pretty
    ? undefined
    : pino.destination({ dest: 1, sync: false, maxLength: MAX_BEHIND_BYTES });
  file?.on('error', () => undefined);
  let gathered = '';
  const pass = (): void => {
    if (gathered === '') return;
    file?.write(gathered);
    gathered = '';
  };
  const destination: DestinationStream =
    file === undefined
      ? prettyStream(options.stdout)
      : {
          write: (line) => {
            gathered += visible(line);
            if (gathered.length >= GATHER_CHARACTERS) pass();
          },
        };
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${isoNow()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const flush = (): void => {
    try {
      pass();
      file?.flushSync();
    } catch {
      // not opened yet, or gone: nothing to do about a log
    }
  };
  setInterval(pass, GATHER_MS).unref();
  return {
    write: (level: LogLevel, event: string, message: string, fields?: LogFields) =>
      logger[level]({ event, ...fields }, message),
    request: (level, line) => {
      if (logger.isLevelEnabled(level)) destination.write(requestText(level, line));
    },
    enabled: (level) => logger.isLevelEnabled(level),
    flush,
  };
}

/**
 * Controls and line ends that JSON lets through and terminals obey: C1 (CSI is one), DEL, U+2028,
 * U+2029 (ASVS 16.4.1).
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

let lastSecond = -1;
let secondText = '';

/** RFC 3339 with milliseconds; the part down to the second is made once a second. */
function isoNow(): string {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    secondText = new Date(second * 1000).toISOString().slice(0, 20);
  }
  return `${secondText}${String(now % 1000).padStart(3, '0')}Z`;
}

/**
 * User agents are strangers' text: escaped by JSON.stringify, and remembered, for the same few come
 * again and again.
 */
const agents = new Map<string, string>();

function agentText(agent: string | null): string {
  if (agent === null) return 'null';
  let text = agents.get(agent);
  if (text === undefined) {
    if (agents.size >= 256) agents.clear();
    text = JSON.stringify(agent);
    agents.set(agent, text);
  }
  return text;
}

/**
 * The line of a request as pino would write it, a third of its cost: every field but the user agent
 * is of an alphabet that needs no escaping (ids, methods, route templates, addresses, codes). A
 * request that failed is rare and goes the long way.
 */
function requestText(level: LogLevel, line: RequestLine): string {
  if (line.error !== undefined)
    return `${JSON.stringify({ level, time: isoNow(), event: 'http.request', ...requestFields(line), message: '' })}\n`;
  const { userId, sessionId, problem, ip } = line;
  return (
    `{"level":"${level}","time":"${isoNow()}","event":"http.request","request_id":"${line.requestId}","http.request.method":"${line.method}","http.route":"${line.route}",` +
    `"http.response.status_code":${line.status},"client.address":${ip === null ? 'null' : `"${ip}"`},"user_agent.original":${agentText(line.userAgent)},` +
    (userId === undefined ? '' : `"user.id":"${userId}","session.id":"${sessionId ?? ''}",`) +
    (problem === undefined ? '' : `"error.type":"${problem}",`) +
    `"duration_ms":${line.durationMs},"message":""}\n`
  );
}

const COLOURS = {
  error: 'red',
  warn: 'yellow',
  info: 'cyan',
  debug: 'gray',
  trace: 'gray',
  fatal: 'red',
} as const;

/** One line for people: time, level, event, then the fields. */
function prettyStream(stdout: OutputStream): DestinationStream {
  return {
    write: (line) => {
      const { time, level, event, message, ...rest } = JSON.parse(line) as Record<string, unknown>;
      const colour = Object.entries(COLOURS).find(([name]) => name === level)?.[1] ?? 'cyan';
      const fields = Object.entries(rest).map(
        ([name, value]) =>
          `${name}=${typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : visible(JSON.stringify(value))}`,
      );
      const head = `${String(time).slice(11, 23)} ${styleText(colour, String(level).padEnd(5), { stream: stdout })} ${String(event)}`;
      stdout.write(
        `${[head, ...(message === '' ? [] : [visible(String(message))]), ...fields].join('  ')}\n`,
      );
    },
  };
}
