/** Reads a password for a verb from standard input or a hidden prompt, never from the arguments. */
import { CliRefusal, EXIT } from './exit.ts';
import type { CliContext } from './context.ts';
import type { VerbCall } from './verb.ts';

const MAX_BYTES = 4_096;

/** @throws {CliRefusal} no password was given */
export async function readPassword(call: VerbCall): Promise<string> {
  const { stdin } = call.context;
  if (call.has('password-stdin')) return oneLine(await readAll(stdin));
  if (stdin.isTTY !== true)
    throw new CliRefusal(
      EXIT.usage,
      `a password is needed: use --password-stdin and pipe it in\nsee: postern ${call.verb.name} --help`,
    );
  return prompt(call.context, 'Password: ');
}

async function readAll(stdin: CliContext['stdin']): Promise<string> {
  let text = '';
  stdin.setEncoding('utf8');
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > MAX_BYTES)
      throw new CliRefusal(EXIT.usage, 'standard input is too long for a password.');
  }
  return text;
}

function oneLine(text: string): string {
  const line = text.replace(/\r?\n$/, '');
  if (line === '') throw new CliRefusal(EXIT.usage, 'standard input contained no password.');
  return line;
}

function prompt({ stdin, stderr }: CliContext, question: string): Promise<string> {
  stderr.write(question);
  const setRaw = (raw: boolean): void => {
    if ('setRawMode' in stdin && typeof stdin.setRawMode === 'function') stdin.setRawMode(raw);
  };
  setRaw(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  return new Promise((resolve, reject) => {
    let typed = '';
    const onData = (chunk: string | Buffer): void => {
      const line = typeInto(typed, String(chunk));
      typed = line.typed;
      if (line.end === undefined) return;
      stdin.removeListener('data', onData);
      setRaw(false);
      stdin.pause();
      stderr.write('\n');
      if (line.end === 'entered') resolve(typed);
      else reject(new CliRefusal(EXIT.failed, 'Nothing was changed.'));
    };
    stdin.on('data', onData);
  });
}

/** A line after more keys: a raw terminal edits nothing itself. */
function typeInto(
  before: string,
  keys: string,
): { typed: string; end: 'entered' | 'interrupted' | undefined } {
  let typed = before;
  for (const key of keys) {
    if (key === '\r' || key === '\n') return { typed, end: 'entered' };
    if (key === '\u0003') return { typed, end: 'interrupted' };
    typed = key === '\u007f' ? typed.slice(0, -1) : typed + key;
  }
  return { typed, end: undefined };
}
