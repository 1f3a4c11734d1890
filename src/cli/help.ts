/**
 * Help texts: purpose, usage, two examples, options with default and variable, where to read more.
 */
import { formatRaw } from '../config/fault.ts';
import { SETTINGS } from '../config/schema.ts';
import { guess } from '../lib/guess.ts';
import { COMMON_OPTIONS } from './verb.ts';
import type { Verb, VerbOption } from './verb.ts';

const PAGE = 'docs/cli.md';

/** Exit codes and what they mean. */
export const EXIT_CODES: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'failure, or the answer is "no"'],
  [2, 'wrong usage'],
  [78, 'the configuration is refused (systemd: `RestartPreventExitStatus=2 78`)'],
  [130, 'a second interrupt during shutdown'],
];

/** Every option of a verb. */
export function verbOptions(verb: Verb): readonly VerbOption[] {
  const help = { flags: '-h, --help', sentence: 'print this' };
  return [...(verb.options ?? []), ...COMMON_OPTIONS, help];
}

/** The help of one verb. */
export function verbHelp(verb: Verb): string {
  const operands = verb.arguments ?? [];
  const usage = ['postern', verb.name, ...operands.map(({ name }) => name), '[options]'].join(' ');
  const options = verbOptions(verb);
  return [
    verb.summary,
    '',
    `usage: ${usage}`,
    '',
    'examples:',
    ...verb.examples.map((example) => `  ${example}`),
    ...(operands.length === 0
      ? []
      : ['', 'arguments:', ...table(operands.map(({ name, sentence }) => [name, sentence]))]),
    '',
    'options:',
    ...table(options.map((option) => [option.flags, optionText(option)])),
    '',
    `more: ${PAGE}#postern-${verb.name.replaceAll(' ', '-')}`,
  ].join('\n');
}

/** The help of the program, or of one noun's verbs. */
export function programHelp(verbs: readonly Verb[], noun?: string): string {
  const shown =
    noun === undefined ? verbs : verbs.filter(({ name }) => name.startsWith(`${noun} `));
  const name = noun === undefined ? 'postern' : `postern ${noun}`;
  return [
    ...(noun === undefined
      ? ['postern: sign-in for your services, JSON in, JWTs out. Without a verb it serves.', '']
      : []),
    `usage: ${name} <verb> [options]`,
    '',
    'verbs:',
    ...table(shown.map((verb) => [verb.name, verb.summary])),
    '',
    'examples:',
    ...shown.slice(0, 2).map((verb) => `  ${verb.examples[0]}`),
    '',
    `${name} <verb> --help shows more. ${PAGE}`,
  ].join('\n');
}

/** A sentence with a guess for an unknown name, or nothing. */
export function meant(typed: string, names: Iterable<string>): string {
  const name = guess(typed, names);
  return name === undefined ? '' : `. Did you mean ${name}?`;
}

/** An option's sentence, with its default and variable. */
export function optionText(option: VerbOption): string {
  const setting = option.setting === undefined ? undefined : SETTINGS.get(option.setting);
  const fallback =
    option.default ??
    (setting?.defaultValue === undefined ? undefined : formatRaw(setting.defaultValue));
  return [
    option.sentence,
    ...(fallback === undefined ? [] : [`[default: ${fallback}]`]),
    ...(setting === undefined ? [] : [`(${setting.env})`]),
  ].join(' ');
}

function table(rows: readonly (readonly [string, string])[]): readonly string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
