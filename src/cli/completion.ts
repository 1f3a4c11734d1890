/**
 * `postern completion bash
 * zsh
 * fish`: completion scripts, generated from the command tree.
 */
import { CliRefusal, EXIT } from './exit.ts';
import { COMMON_OPTIONS, longName, takesValue } from './verb.ts';
import type { Verb, VerbOption } from './verb.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** @param verbs all verbs; a function, because this one is among them */
export function completion(verbs: () => readonly Verb[]): Verb {
  return {
    name: 'completion',
    summary: 'Prints the completion script of a shell.',
    examples: [
      'postern completion bash > /etc/bash_completion.d/postern',
      'postern completion fish > ~/.config/fish/completions/postern.fish',
    ],
    arguments: [{ name: '<shell>', sentence: SHELLS.join(', ') }],
    run: ({ arguments: [given], output }) => {
      const shell = SHELLS.find((one) => one === given);
      if (shell === undefined)
        throw new CliRefusal(
          EXIT.usage,
          `that shell is not known. Write one of ${SHELLS.join(', ')}\nsee: postern completion --help`,
        );
      output.answer(completionScript(shell, verbs()));
      return EXIT.done;
    },
  };
}

/** The script of a shell. */
export function completionScript(shell: Shell, verbs: readonly Verb[]): string {
  switch (shell) {
    case 'bash':
      return bash(verbs);
    case 'zsh':
      return zsh(verbs);
    case 'fish':
      return fish(verbs);
  }
}

const optionsOf = (verb: Verb): readonly VerbOption[] => [
  ...(verb.options ?? []),
  ...COMMON_OPTIONS,
  { flags: '--help', sentence: 'print help' },
];

const firstWords = (verbs: readonly Verb[]): readonly string[] => [
  ...new Set(verbs.map(({ name }) => name.split(' ')[0] ?? '')),
];

/** The second words after a first word that is a noun. */
const secondWords = (verbs: readonly Verb[], first: string): readonly string[] =>
  verbs.flatMap(({ name }) => (name.startsWith(`${first} `) ? [name.slice(first.length + 1)] : []));

/** The words allowed for an argument, when its sentence lists them. */
const argumentWords = (verb: Verb): readonly string[] => {
  const sentence = verb.arguments?.[0]?.sentence ?? '';
  return /^[a-z]+(?:, [a-z]+)+$/.test(sentence) ? sentence.split(', ') : [];
};

function bash(verbs: readonly Verb[]): string {
  const firsts = firstWords(verbs);
  const nouns = firsts.filter((first) => secondWords(verbs, first).length > 0);
  const cases = verbs.map((verb) => {
    const words = [...optionsOf(verb).map((o) => `--${longName(o)}`), ...argumentWords(verb)];
    return `    "${verb.name}") words="${words.join(' ')}" ;;`;
  });
  return `# bash completion of postern
_postern() {
  local current=\${COMP_WORDS[COMP_CWORD]} verb=\${COMP_WORDS[1]} words=""
  case "$verb" in
${nouns.map((noun) => `    ${noun}) if [ "$COMP_CWORD" -eq 2 ]; then words="${secondWords(verbs, noun).join(' ')}"; else verb="$verb \${COMP_WORDS[2]}"; fi ;;`).join('\n')}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then words="${firsts.join(' ')}"; fi
  if [ -z "$words" ]; then case "$verb" in
${cases.join('\n')}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _postern postern`;
}

/** A text for single quotes, without the characters that are special in zsh's specifications. */
const quoted = (text: string): string => text.replaceAll("'", "'\\''");
const plain = (text: string): string => quoted(text).replace(/[[\]:]/g, ' ');

function zsh(verbs: readonly Verb[]): string {
  const cases = verbs.map((verb) => {
    const specs = optionsOf(verb).map((option) => {
      const value = takesValue(option) ? ':value:_files' : '';
      return `'--${longName(option)}[${plain(option.sentence)}]${value}'`;
    });
    const words = argumentWords(verb);
    const operand = words.length > 0 ? `'1:argument:(${words.join(' ')})'` : "'*:file:_files'";
    return `    '${verb.name}') _arguments ${[...specs, operand].join(' ')} ;;`;
  });
  const described = (rows: readonly (readonly [string, string])[]): string =>
    rows.map(([word, sentence]) => `'${word}:${plain(sentence)}'`).join(' ');
  const firsts = firstWords(verbs).map((word): [string, string] => [
    word,
    verbs.find(({ name }) => name === word)?.summary ?? secondWords(verbs, word).join(', '),
  ]);
  const nouns = firstWords(verbs).filter((first) => secondWords(verbs, first).length > 0);
  return `#compdef postern
_postern() {
  local verb=\${words[2]}
  local -a choices
  if (( CURRENT == 2 )); then
    choices=(${described(firsts)})
    _describe verb choices
    return
  fi
  case $verb in
${nouns
  .map((noun) => {
    const rows = secondWords(verbs, noun).map((word): [string, string] => [
      word,
      verbs.find(({ name }) => name === `${noun} ${word}`)?.summary ?? '',
    ]);
    return `    ${noun}) if (( CURRENT == 3 )); then choices=(${described(rows)}); _describe verb choices; return; fi; verb="$verb \${words[3]}"; shift words; (( CURRENT-- )) ;;`;
  })
  .join('\n')}
  esac
  shift words; (( CURRENT-- ))
  case $verb in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _postern ]; then _postern "$@"; else compdef _postern postern; fi`;
}

function fish(verbs: readonly Verb[]): string {
  const firsts = firstWords(verbs);
  const lines = firsts.flatMap((first) => {
    const seconds = secondWords(verbs, first);
    const summary = verbs.find(({ name }) => name === first)?.summary ?? seconds.join(', ');
    return [
      `complete -c postern -n __fish_use_subcommand -f -a ${first} -d '${quoted(summary)}'`,
      ...seconds.map((second) => {
        const about = verbs.find(({ name }) => name === `${first} ${second}`)?.summary ?? '';
        return `complete -c postern -n '__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${seconds.join(' ')}' -f -a ${second} -d '${quoted(about)}'`;
      }),
    ];
  });
  const options = verbs.flatMap((verb) => {
    const condition = verb.name
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ');
    return [
      ...optionsOf(verb).map(
        (option) =>
          `complete -c postern -n '${condition}' -l ${longName(option)}${takesValue(option) ? ' -r' : ''} -d '${quoted(option.sentence)}'`,
      ),
      ...argumentWords(verb).map((word) => `complete -c postern -n '${condition}' -f -a ${word}`),
    ];
  });
  return ['# fish completion of postern', ...lines, ...options].join('\n');
}
