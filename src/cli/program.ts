/**
 * The command line: builds a tree from the list of verbs, turns arguments into one call, and every
 * result into an exit code. commander parses the arguments; messages are ours, because commander's
 * repeat what was typed, which may be a secret.
 */
import { Command, CommanderError } from 'commander';
import { ConfigRefused } from '../config/fault.ts';
import type { CliContext } from './context.ts';
import { CliRefusal, EXIT, usageRefusal } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { meant, programHelp, verbHelp } from './help.ts';
import { createOutput } from './output.ts';
import type { Output } from './output.ts';
import { COMMON_OPTIONS, longName, takesValue } from './verb.ts';
import type { Verb, VerbCall, VerbOption } from './verb.ts';

/** The verb when none is given. */
const DEFAULT_VERB = 'serve';

/** Runs the verb that the arguments name; resolves to the exit code and never rejects. */
export async function runProgram(verbs: readonly Verb[], context: CliContext): Promise<ExitCode> {
  const output = createOutput(context);
  try {
    const chosen = chooseVerb(verbs, context.args);
    if ('help' in chosen) {
      if (chosen.exitCode === EXIT.done) output.answer(chosen.help);
      else output.error(chosen.help);
      return chosen.exitCode;
    }
    return await chosen.verb.run(readCall(chosen.verb, chosen.rest, context, output));
  } catch (error) {
    return explainEnd(error, output);
  }
}

type Choice =
  | { readonly verb: Verb; readonly rest: readonly string[] }
  | { readonly help: string; readonly exitCode: ExitCode };

/**
 * Finds the verb. Options before it count as if they came after, so that `postern --config a.toml
 * serve` equals `postern serve --config a.toml`.
 *
 * @throws {CliRefusal} for a verb that does not exist
 */
function chooseVerb(verbs: readonly Verb[], args: readonly string[]): Choice {
  const { leading, operands } = splitLeading(verbs, args);
  const [first, ...rest] = operands;
  if (first === undefined) return chooseDefault(verbs, leading);
  if (first === 'help')
    return rest.length === 0
      ? { help: programHelp(verbs), exitCode: EXIT.done }
      : chooseVerb(verbs, [...rest, '--help']);
  if (verbs.some(({ name }) => name === first)) return pick(verbs, first, [...leading, ...rest]);
  return chooseOfNoun(verbs, first, { leading, operands: rest });
}

const asksForHelp = (arg: string): boolean => arg === '-h' || arg === '--help';
const asksForVersion = (arg: string): boolean => arg === '-V' || arg === '--version';

/** The default verb, when none was given. */
function chooseDefault(verbs: readonly Verb[], options: readonly string[]): Choice {
  if (options.some(asksForHelp)) return { help: programHelp(verbs), exitCode: EXIT.done };
  if (!options.some(asksForVersion)) return pick(verbs, DEFAULT_VERB, options);
  return pick(
    verbs,
    'version',
    options.filter((arg) => !asksForVersion(arg)),
  );
}

/** Finds a verb of two words, such as `user list`. @throws {CliRefusal} */
function chooseOfNoun(
  verbs: readonly Verb[],
  noun: string,
  { leading, operands }: SplitArguments,
): Choice {
  const ofNoun = verbs.filter(({ name }) => name.startsWith(`${noun} `));
  if (ofNoun.length === 0) {
    const names = verbs.flatMap(({ name }) => name.split(' ').slice(0, 1));
    throw usageRefusal(`unknown verb ${shownWord(noun)}${meant(noun, names)}`, 'postern --help');
  }
  const [second = '-', ...rest] = operands;
  if (asksForHelp(second) || leading.some(asksForHelp))
    return { help: programHelp(verbs, noun), exitCode: EXIT.done };
  if (second.startsWith('-')) return { help: programHelp(verbs, noun), exitCode: EXIT.usage };
  const name = `${noun} ${second}`;
  if (ofNoun.some((verb) => verb.name === name)) return pick(verbs, name, [...leading, ...rest]);
  const seconds = ofNoun.map((verb) => verb.name.slice(noun.length + 1));
  throw usageRefusal(
    `unknown verb ${noun} ${shownWord(second)}${meant(second, seconds)}`,
    `postern ${noun} --help`,
  );
}

function pick(verbs: readonly Verb[], name: string, rest: readonly string[]): Choice {
  const verb = verbs.find((candidate) => candidate.name === name);
  if (verb === undefined) throw new Error(`there is no verb ${name}`);
  return rest.some((arg, index) => asksForHelp(arg) && !rest.slice(0, index).includes('--'))
    ? { help: verbHelp(verb), exitCode: EXIT.done }
    : { verb, rest };
}

interface SplitArguments {
  readonly leading: readonly string[];
  readonly operands: readonly string[];
}

/** Moves the options before the first operand; a separate value moves with its option. */
function splitLeading(verbs: readonly Verb[], args: readonly string[]): SplitArguments {
  const options = [
    ...COMMON_OPTIONS,
    ...(verbs.find(({ name }) => name === DEFAULT_VERB)?.options ?? []),
  ];
  const withValue = new Set(options.filter(takesValue).map((option) => `--${longName(option)}`));
  let at = 0;
  for (let arg = args[at]; arg?.startsWith('-') && arg !== '--'; arg = args[at])
    at += withValue.has(arg) ? 2 : 1;
  return { leading: args.slice(0, at), operands: args.slice(at) };
}

/** @throws {CliRefusal} for options and arguments that the verb does not accept */
function readCall(
  verb: Verb,
  rest: readonly string[],
  context: CliContext,
  output: Output,
): VerbCall {
  const options = [...(verb.options ?? []), ...COMMON_OPTIONS];
  const command = new Command(verb.name)
    .helpOption(false)
    .exitOverride()
    .configureOutput({ writeOut: noOutput, writeErr: noOutput });
  for (const option of options) addOption(command, option);
  for (const { name, sentence } of verb.arguments ?? []) command.argument(name, sentence);
  command.action(() => undefined);
  try {
    command.parse([...rest], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError)
      throw usageRefusal(usageFault(error, options), `postern ${verb.name} --help`);
    throw error;
  }
  const values = command.opts<Record<string, unknown>>();
  const optionValue = (name: string): unknown => {
    if (!options.some((option) => longName(option) === name))
      throw new Error(`${verb.name} has no option --${name}`);
    return values[name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())];
  };
  return {
    verb,
    context,
    output,
    arguments: command.args,
    has: (name) => optionValue(name) === true,
    text: (name) => {
      const value = optionValue(name);
      return typeof value === 'string' ? value : undefined;
    },
    texts: (name) => {
      const value = optionValue(name);
      return Array.isArray(value) ? value.map(String) : [];
    },
  };
}

const noOutput = (): void => undefined;

function addOption(command: Command, option: VerbOption): void {
  if (option.isRepeatable === true)
    command.option(
      option.flags,
      option.sentence,
      (value: string, former: readonly string[]) => [...former, value],
      [],
    );
  else command.option(option.flags, option.sentence);
}

/** Translates commander's error to our words; a typed value is not repeated. */
function usageFault(error: CommanderError, options: readonly VerbOption[]): string {
  const [, named = ''] = /'([^']*)'/.exec(error.message) ?? [];
  const flag = named.split(/[= ]/)[0] ?? '';
  switch (error.code) {
    case 'commander.unknownOption': {
      const names = [...options.map((option) => `--${longName(option)}`), '--help'];
      return `unknown option ${shownWord(flag)}${meant(flag, names)}`;
    }
    case 'commander.optionMissingArgument':
      return `${flag} needs a value`;
    case 'commander.missingArgument':
      return `<${named}> is missing`;
    case 'commander.excessArguments':
      return 'too many arguments';
    default:
      return error.message.replace(/^error: /, '');
  }
}

function explainEnd(error: unknown, output: Output): ExitCode {
  if (error instanceof ConfigRefused) {
    output.error(error.message);
    return EXIT.config;
  }
  if (error instanceof CliRefusal) {
    output.error(error.message);
    return error.exitCode;
  }
  // A bug: its kind and place, not the minified source. The message may contain anything, so it is
  // kept to one line.
  const [head = '', ...frames] = (
    error instanceof Error ? (error.stack ?? error.message) : String(error)
  ).split('\n');
  const place = frames.find((frame) => frame.trim().startsWith('at '))?.trim() ?? '';
  output.error(
    `postern has a bug: ${head.slice(0, 300)} ${place}. Report this line to the project; nothing else is needed.`,
  );
  return EXIT.failed;
}

/** A typed word, shortened and on one line. */
function shownWord(word: string): string {
  return /^[\w.-]{1,40}$/.test(word) ? word : JSON.stringify(word.slice(0, 40));
}
