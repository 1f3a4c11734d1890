/**
 * Where a verb speaks: the answer to stdout, everything else to stderr, so that an answer can be
 * piped. Colour only ever repeats what the words say, and obeys NO_COLOR, FORCE_COLOR and what is
 * not a terminal.
 */
import { styleText } from 'node:util';
import type { CliContext, OutputStream } from './context.ts';

type Format = Parameters<typeof styleText>[0];

export interface Output {
  /** A line of the answer. */
  answer(line: string): void;
  /** The answer as JSON on one line; field names as in the API. */
  answerJson(value: unknown): void;
  /** A line about what goes on. */
  progress(line: string): void;
  warn(line: string): void;
  error(line: string): void;
  /** A text in a format when stdout is a terminal that wants it. */
  style(format: Format, text: string): string;
}

/**
 * Makes the output of one run. A reader of stdout that has gone away (`postern … | head`) ends the
 * process quietly.
 */
export function createOutput({
  stdout,
  stderr,
  exit,
}: Pick<CliContext, 'stdout' | 'stderr' | 'exit'>): Output {
  const onGone = (stream: OutputStream, react: () => void): void => {
    stream.on('error', (error: Error) => {
      if (!('code' in error) || error.code !== 'EPIPE') throw error;
      react();
    });
  };
  onGone(stdout, () => exit(0));
  // Who reads no progress still wants the work done, and its exit code.
  onGone(stderr, () => undefined);
  const line = (stream: OutputStream, text: string): void => {
    stream.write(text.endsWith('\n') ? text : `${text}\n`);
  };
  const style = (stream: OutputStream, format: Format, text: string): string =>
    styleText(format, text, { stream, validateStream: true });
  return {
    answer: (text) => line(stdout, text),
    answerJson: (value) => line(stdout, JSON.stringify(value)),
    progress: (text) => line(stderr, text),
    warn: (text) => line(stderr, `${style(stderr, 'yellow', 'warning:')} ${text}`),
    error: (text) => line(stderr, text),
    style: (format, text) => style(stdout, format, text),
  };
}
