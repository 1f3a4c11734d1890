/**
 * A verb: one value that states its options, arguments, help and work. The command tree, the help
 * and the guesses are derived from it.
 */
import type { CliContext } from './context.ts';
import type { ExitCode } from './exit.ts';
import type { Output } from './output.ts';

export interface VerbOption {
  /** As in `--listen <address>`, `-y, --yes`; a value in `<>` is a text. */
  readonly flags: string;
  /** One line, without a full stop. */
  readonly sentence: string;
  /** Shown in the help; the verb itself applies it. */
  readonly default?: string;
  /**
   * The setting that it overrides; provides default and variable, and {@link loadConfig} uses it.
   */
  readonly setting?: string;
  /** May be given several times: {@link VerbCall.texts}. */
  readonly isRepeatable?: boolean;
}

export interface VerbArgument {
  /** As in `<file>`, or `[file]` if optional. */
  readonly name: string;
  readonly sentence: string;
}

export interface Verb {
  /** As in `serve`, or noun and verb as in `keys rotate`. */
  readonly name: string;
  /** One line: its purpose. */
  readonly summary: string;
  readonly examples: readonly [string, string];
  readonly arguments?: readonly VerbArgument[];
  readonly options?: readonly VerbOption[];
  readonly run: (call: VerbCall) => Promise<ExitCode> | ExitCode;
}

/** One call of a verb. */
export interface VerbCall {
  readonly verb: Verb;
  readonly context: CliContext;
  readonly output: Output;
  /** In the order of {@link Verb.arguments}; missing ones are omitted. */
  readonly arguments: readonly string[];
  /** Whether an option without a value was given, by its long name without dashes. */
  has(option: string): boolean;
  /** The value of an option, or undefined. */
  text(option: string): string | undefined;
  /** The values of a repeatable option; empty if it was not given. */
  texts(option: string): readonly string[];
}

/** Options of every verb. */
export const COMMON_OPTIONS: readonly VerbOption[] = [
  {
    flags: '--config <file>',
    sentence: 'configuration file (POSTERN_CONFIG)',
    default: './config.toml, else /etc/postern/config.toml, else none',
  },
];

/** The option of every verb that prints data. */
export const JSON_OPTION: VerbOption = {
  flags: '--json',
  sentence: 'print JSON, field names as in the API',
};

/** Options of `serve`; each takes precedence over file and environment. */
export const LISTEN_OPTION: VerbOption = {
  flags: '--listen <address>',
  sentence: 'where to listen; may be repeated',
  setting: 'server.listen',
  isRepeatable: true,
};
export const LOG_LEVEL_OPTION: VerbOption = {
  flags: '--log-level <level>',
  sentence: 'least severe level that is logged',
  setting: 'log.level',
};

export const LOG_FORMAT_OPTION: VerbOption = {
  flags: '--log-format <format>',
  sentence: 'auto, json, or pretty: a line a request',
  setting: 'log.format',
};

/** An option's long name without dashes, such as `log-level`. */
export function longName({ flags }: VerbOption): string {
  const name = /--([a-z][a-z0-9-]*)/.exec(flags)?.[1];
  if (name === undefined) throw new Error(`an option without a long name: ${flags}`);
  return name;
}

/** Whether an option takes a value. */
export function takesValue({ flags }: VerbOption): boolean {
  return flags.includes('<');
}
