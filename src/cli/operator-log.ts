/**
 * The log of an operator's acts at the command line: a line on stderr for each, in the form of the
 * service's own log, with the system's user who did it.
 */
import { userInfo } from 'node:os';
import type { Log } from '../lib/log.ts';
import type { CliContext } from './context.ts';

/** Who types: whoever called sudo, else the user of the process. */
export function operatorName(env: CliContext['env']): string {
  const name = env['SUDO_USER'];
  if (name !== undefined && name !== '') return name;
  try {
    return userInfo().username;
  } catch {
    // A container's user often has no name.
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

/** Characters that terminals obey (ASVS 16.4.1); JSON escapes the others. */
const OBEYED = /[\u007f-\u009f\u2028\u2029]/g;
const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

export function operatorLog({ clock, env, stderr }: CliContext): Log {
  const operator = operatorName(env);
  return {
    write: (level, event, message, fields) => {
      const time = new Date(clock.now()).toISOString();
      const { request_id: _, 'client.address': _address, ...about } = fields ?? {};
      const line = JSON.stringify({ level, time, event, ...about, operator, message });
      stderr.write(`${line.replace(OBEYED, escaped)}\n`);
    },
    request: () => undefined,
    enabled: (level) => level !== 'debug' && level !== 'trace',
  };
}
