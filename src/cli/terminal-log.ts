/**
 * The log for a person at a terminal: one line per request, of at most 120 columns, with its
 * events. Details are in the JSON lines (`--log-format json`).
 */
import { styleText } from 'node:util';
import type { LogFields, LogLevel, RequestLine } from '../lib/log.ts';
import type { OutputStream } from './context.ts';

export interface TerminalLog {
  event(level: LogLevel, event: string, message: string, fields?: LogFields): void;
  request(level: LogLevel, line: RequestLine): void;
}

const COLUMNS = 120;
/**
 * Maximum number of requests in progress whose events are kept for their line; older ones are
 * dropped.
 */
const REMEMBERED = 1_000;

type Colour = 'red' | 'yellow' | 'cyan' | 'green' | 'gray';
const COLOURS: Readonly<Record<LogLevel, Colour>> = {
  error: 'red',
  warn: 'yellow',
  info: 'cyan',
  debug: 'gray',
  trace: 'gray',
};

/** The events of one request so far. */
interface Told {
  readonly events: string[];
  user: string | undefined;
}

/** Control characters and line ends, which terminals obey (ASVS 16.4.1). */
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
export const visible = (text: string): string =>
  text.replace(
    INVISIBLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** East Asian characters and emoji take two columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** The beginning of a text that fits into a number of columns. */
function cut(text: string, columns: number): string {
  let used = 0;
  let kept = '';
  for (const character of visible(text)) {
    used += WIDE.test(character) ? 2 : 1;
    if (used > columns) return `${kept.slice(0, -1)}…`;
    kept += character;
  }
  return kept;
}

const statusColour = (status: number): Colour => {
  if (status >= 500) return 'red';
  return status >= 400 ? 'yellow' : 'green';
};

export function terminalLog(stdout: OutputStream, now: () => number = Date.now): TerminalLog {
  const under = new Map<string, Told>();
  const columns = Math.min(COLUMNS, ('columns' in stdout && Number(stdout.columns)) || COLUMNS);
  const paint = (colour: Colour, text: string): string =>
    styleText(colour, text, { stream: stdout });
  const time = (): string => {
    const date = new Date(now());
    const two = (value: number): string => String(value).padStart(2, '0');
    const ms = String(date.getMilliseconds()).padStart(3, '0');
    return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
  };
  const remember = (requestId: string, event: string, user: string | undefined): void => {
    const told = under.get(requestId) ?? { events: [], user: undefined };
    told.events.push(event);
    told.user = user ?? told.user;
    under.set(requestId, told);
    const oldest = under.keys().next().value;
    if (under.size > REMEMBERED && oldest !== undefined) under.delete(oldest);
  };

  return {
    event: (level, event, message, fields = {}) => {
      const { request_id: requestId } = fields;
      if (requestId !== undefined && COLOURS[level] === COLOURS.info)
        return remember(requestId, event, fields['user.name']);
      const fault = fields['exception.stacktrace'] ?? fields['exception.message'];
      const what = [event, message, ...shortFields(fields)].filter((part) => part !== '');
      const head = `${time()} ${paint(COLOURS[level], level.padEnd(6))} `;
      // The instruction in a warning is not truncated.
      const text = what.join('  ');
      const shown = COLOURS[level] === COLOURS.info ? cut(text, columns - 20) : visible(text);
      const stack = fault === undefined ? '' : `\n${fault.split('\n').map(visible).join('\n')}`;
      stdout.write(`${head}${shown}${stack}\n`);
    },
    request: (_level, line) => {
      const told = under.get(line.requestId);
      under.delete(line.requestId);
      const user = line.userName ?? told?.user;
      const events = told?.events ?? [];
      const what = line.problem === undefined ? events : [...events, line.problem];
      const ms = `${line.durationMs < 100 ? line.durationMs.toFixed(1) : Math.round(line.durationMs)} ms`;
      const [method, route] = [line.method.padEnd(7), routeText(line).padEnd(32)];
      const before = `${time()} ${method} ${route} `;
      const after = ` ${ms.padStart(9)}  ${[user ?? '', what.join(' ')].filter((part) => part !== '').join('  ')}`;
      const rest = cut(after, columns - before.length - 3).trimEnd();
      stdout.write(`${before}${paint(statusColour(line.status), String(line.status))}${rest}\n`);
    },
  };
}

/** A preflight has no route; the request that it precedes has one. */
function routeText({ route, method }: RequestLine): string {
  if (route !== '') return route;
  return method === 'OPTIONS' ? '(preflight)' : '(no route)';
}

/** The fields that distinguish events; ids and addresses are only in the JSON lines. */
const SHORT = ['letter', 'count', 'reason', 'origin', 'kid', 'factor'] as const;

function shortFields(fields: LogFields): readonly string[] {
  return SHORT.flatMap((name) => (fields[name] === undefined ? [] : [`${name}=${fields[name]}`]));
}
