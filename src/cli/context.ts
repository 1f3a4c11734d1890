/**
 * The process as verbs see it. main.ts makes the real one; a test makes any other, so that the
 * whole command line runs in process and in parallel.
 */
import type { Environment } from '../config/env.ts';
import type { SecretFile } from '../config/secrets.ts';
import type { Clock } from '../lib/clock.ts';

/** An output stream; on a terminal it says so. */
export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean };
/** An input stream; on a terminal it says so. */
export type InputStream = NodeJS.ReadableStream & { readonly isTTY?: boolean };

export interface CliContext {
  /** What follows the program's name. */
  readonly args: readonly string[];
  readonly env: Environment;
  /** Working directory, absolute; relative paths start here. */
  readonly cwd: string;
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly clock: Clock;
  /** Platform and processor, as in `linux-x64`. */
  readonly target: string;
  /** Node's version, as in `v20.20.2`. */
  readonly nodeVersion: string;
  /**
   * Reads a UTF-8 file, path relative to `cwd` or absolute. @throws an error with a `code` such as
   * ENOENT
   */
  readonly readFile: (path: string) => SecretFile;
  /** Ends the process at once; for a reader that has gone away. */
  readonly exit: (code: number) => void;
}
