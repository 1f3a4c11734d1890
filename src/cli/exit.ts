/** How a verb ends. The codes are documented in docs/cli.md and are part of the interface. */
export const EXIT = {
  done: 0,
  /** It failed, or the answer is "no". */
  failed: 1,
  /** Wrong usage. */
  usage: 2,
  /** The configuration is refused (EX_CONFIG); systemd: RestartPreventExitStatus=2 78. */
  config: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * An end that was foreseen: its message is one or a few whole sentences for the operator, printed
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

/** Wrong usage; `see` is the help that tells more, as in `postern serve --help`. */
export function usageRefusal(message: string, see: string): CliRefusal {
  return new CliRefusal(EXIT.usage, `${message}\nsee: ${see}`);
}
