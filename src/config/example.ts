/**
 * config.example.toml and docs/configuration.md, made from the schema. Lines that start with `#`
 * and no space are settings at their defaults: taking the `#` away changes nothing, which a test
 * holds true.
 */
import { CONFIG_VARIABLE } from './env.ts';
import { formatRaw } from './fault.ts';
import { USUAL_PATHS } from './locate.ts';
import { SECTIONS } from './schema.ts';
import type { Section, Setting } from './schema.ts';

const HEAD = `# The settings of postern, each at its default and commented out. Take the # away to change one.
# A variable of the environment wins over this file. "postern config check" says whether all is well,
# "postern config show --origin" what is in force and why. Made by scripts/write-docs.mjs.
`;

/** The text of config.example.toml. */
export function exampleConfig(): string {
  return `${[HEAD, ...SECTIONS.map(exampleSection)].join('\n')}`;
}

function exampleSection({ name, sentence, settings }: Section): string {
  return [
    `# ${sentence}`,
    `[${name}]`,
    ...settings.flatMap((setting) => ['', ...exampleSetting(setting)]),
    '',
  ].join('\n');
}

function exampleSetting(setting: Setting): readonly string[] {
  const { sentence, unit, name, env, defaultValue, secret, absent, example } = setting;
  const about = [
    `# ${sentence}`,
    `# ${[unit, secret ? `${env} or ${env}_FILE` : env].filter((part) => part !== undefined).join('; ')}`,
  ];
  if (secret)
    return [
      ...about,
      `# Not set: ${absent ?? 'none'}. Example: ${name}_file = "/run/secrets/${name}"`,
    ];
  if (defaultValue === undefined)
    return [...about, `# Not set: ${absent}. Example: ${name} = "${example}"`];
  return [...about, `#${name} = ${formatRaw(defaultValue)}`];
}

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  return `${[PAGE_HEAD, ...SECTIONS.map(pageSection)].join('\n')}`;
}

const PAGE_HEAD = `# Configuration

<!-- Made by scripts/write-docs.mjs from the schema; edit the schema. -->

\`\`\`sh
postern config check            # says what is wrong, all of it, and exits 78
postern config show --origin    # says what is in force, and which file or variable set it
\`\`\`

Nothing has to be set. The file is the first of \`--config\`, \`${CONFIG_VARIABLE}\`, \`${USUAL_PATHS.join('`, `')}\` that is there; files are not
merged. A variable wins over the file, and a flag (\`--listen\`, \`--log-level\`) over both. Lists in variables are separated by commas. What is not a
setting is refused, in the file and among the variables that start with \`POSTERN_\`.

Durations are written \`"15m"\` (ms, s, m, h, d), sizes \`"64KiB"\` (B, KiB, MiB, GiB); bare numbers are refused. Paths are relative to the working
directory.

A secret (marked so below) can be set in one of these ways, and two at once are refused:

| way | for \`tokens.shared_secret\` |
| --- | --- |
| variable | \`POSTERN_TOKENS_SHARED_SECRET\` |
| file named by a variable (Compose, Kubernetes) | \`POSTERN_TOKENS_SHARED_SECRET_FILE=/run/secrets/shared_secret\` |
| file named in the TOML | \`shared_secret_file = "/run/secrets/shared_secret"\` in \`[tokens]\` |
| credential of systemd | \`LoadCredential=tokens.shared_secret:/etc/postern/shared_secret\` |
| in the TOML itself | \`shared_secret = "…"\` in \`[tokens]\`, where every backup of the file has it |

One line end at the end of such a file is cut; a list has one secret a line. A file that every user of the machine can read gives a warning.
`;

function pageSection({ name, sentence, settings }: Section): string {
  const rows = settings.map((setting) => {
    const { key, env, sentence: meaning, unit, secret } = setting;
    return `| \`${key}\` | ${defaultCell(setting)} | \`${env}\` | ${cell([meaning, secret ? `A secret: ${unit}.` : unit === undefined ? '' : `${capital(unit)}.`].join(' ').trim())} |`;
  });
  return [
    `## [${name}]`,
    '',
    sentence,
    '',
    '| setting | default | variable | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function defaultCell({ defaultValue, secret, absent }: Setting): string {
  if (defaultValue === undefined) return cell(absent ?? 'not set');
  return secret ? 'none' : `\`${formatRaw(defaultValue)}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
