/** Exit codes. They are documented in docs/cli.md and part of the interface. */
export const EXIT = {
  done: 0,
  /** Failure, or the answer is "no". */
  failed: 1,
  /** Wrong usage. */
  usage: 2,
  /** The configuration is refused (EX_CONFIG); systemd: RestartPreventExitStatus=2 78. */
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * An expected failure: its message is one or a few whole sentences for the operator, printed
 * without a stack.
 */
export class CliRefusal extends Error {
  override readonly name = 'CliRefusal';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Wrong usage; `see` is the help to read, such as `postern serve --help`. */
export function usageRefusal(message: string, see: string): CliRefusal {
  return new CliRefusal(EXIT.usage, `${message}\nsee: ${see}`);
}

/** A verb needs a database, and this file does not exist. */
export function missingDatabase(file: string): CliRefusal {
  const message = `there is no database at ${file} yet. postern serve creates it.`;
  return new CliRefusal(EXIT.failed, message);
}
