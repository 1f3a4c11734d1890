/**
 * The process as verbs see it. main.ts creates the real one, tests create others, so that the whole
 * command line runs in process and in parallel.
 */
import type { Environment } from '../config/env.ts';
import type { SecretFile } from '../config/secrets.ts';
import type { Clock } from '../lib/clock.ts';

/** An output stream that knows whether it is a terminal. */
export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean };
/** An input stream that knows whether it is a terminal. */
export type InputStream = NodeJS.ReadableStream & { readonly isTTY?: boolean };

export interface CliContext {
  /** The arguments after the program's name. */
  readonly args: readonly string[];
  readonly env: Environment;
  /** Absolute working directory; relative paths start here. */
  readonly cwd: string;
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly clock: Clock;
  /** Platform and processor, such as `linux-x64`. */
  readonly target: string;
  /** Node's version, such as `v20.20.2`. */
  readonly nodeVersion: string;
  /**
   * Reads a UTF-8 file, path relative to `cwd` or absolute. @throws an error with a `code` such as
   * ENOENT
   */
  readonly readFile: (path: string) => SecretFile;
  /** Ends the process at once, when the reader of its output has closed the pipe. */
  readonly exit: (code: number) => void;
}
