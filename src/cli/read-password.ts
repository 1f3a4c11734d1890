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
    const end = (): void => {
      stdin.removeListener('data', onData);
      setRaw(false);
      stdin.pause();
      stderr.write('\n');
    };
    const onData = (chunk: string | Buffer): void => {
      for (const character of String(chunk)) {
        if (character === '\r' || character === '\n') {
          end();
          resolve(typed);
          return;
        }
        if (character === '\u0003') {
          end();
          reject(new CliRefusal(EXIT.failed, 'Nothing was changed.'));
          return;
        }
        typed = character === '\u007f' ? typed.slice(0, -1) : typed + character;
      }
    };
    stdin.on('data', onData);
  });
}
