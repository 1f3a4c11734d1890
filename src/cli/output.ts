/**
 * Output of a verb: the answer on stdout, everything else on stderr, so that answers can be piped.
 * Colour only repeats what the words say, and obeys NO_COLOR, FORCE_COLOR and non-terminals.
 */
import { styleText } from 'node:util';
import type { CliContext, OutputStream } from './context.ts';

type Format = Parameters<typeof styleText>[0];

export interface Output {
  /** A line of the answer. */
  answer(line: string): void;
  /** The answer as JSON on one line; field names as in the API. */
  answerJson(value: unknown): void;
  /** A progress line. */
  progress(line: string): void;
  warn(line: string): void;
  error(line: string): void;
  /** Formats a text if stdout is a terminal that supports it. */
  style(format: Format, text: string): string;
}

/**
 * Creates the output of one run. When the reader of stdout closes the pipe (`postern …
 * head`), the process ends without an error.
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
  // If nobody reads the progress, the work and its exit code still matter.
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
