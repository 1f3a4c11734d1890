/**
 * The log of a running service: pino's JSON lines, or text for people on a terminal. pino because it is as fast as writing the JSON
 * by hand and its escaping is proved; no transports, which are threads found by path. A log that can't be written stops nothing.
 */
import { styleText } from 'node:util';
import pino from 'pino';
import type { DestinationStream } from 'pino';
import type { Log, LogFields, LogLevel } from '../lib/log.ts';
import type { OutputStream } from './context.ts';

export interface RunningLog extends Log {
  /** Writes out what is buffered. */
  flush(): void;
}

/** Lines are gathered for at most this long, milliseconds. */
const FLUSH_MS = 100;

export function createLogger(options: { level: LogLevel; pretty: boolean; stdout: OutputStream }): RunningLog {
  const file = options.pretty ? undefined : pino.destination({ dest: 1, sync: false, minLength: 4096 });
  const destination: DestinationStream = file ?? prettyStream(options.stdout);
  file?.on('error', () => undefined);
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const flush = (): void => {
    try {
      file?.flushSync();
    } catch {
      // not opened yet, or gone: nothing to do about a log
    }
  };
  if (file !== undefined) setInterval(() => file.flush(), FLUSH_MS).unref();
  return {
    write: (level: LogLevel, event: string, message: string, fields?: LogFields) => logger[level]({ event, ...fields }, message),
    enabled: (level) => logger.isLevelEnabled(level),
    flush,
  };
}

const COLOURS = { error: 'red', warn: 'yellow', info: 'cyan', debug: 'gray', trace: 'gray', fatal: 'red' } as const;

/** One line for people: time, level, event, then the fields. */
function prettyStream(stdout: OutputStream): DestinationStream {
  return {
    write: (line) => {
      const { time, level, event, message, ...rest } = JSON.parse(line) as Record<string, unknown>;
      const colour = Object.entries(COLOURS).find(([name]) => name === level)?.[1] ?? 'cyan';
      const fields = Object.entries(rest).map(([name, value]) => `${name}=${typeof value === 'string' && /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value)}`);
      const head = `${String(time).slice(11, 23)} ${styleText(colour, String(level).padEnd(5), { stream: stdout })} ${String(event)}`;
      stdout.write(`${[head, ...(message === '' ? [] : [String(message)]), ...fields].join('  ')}\n`);
    },
  };
}
