/**
 * Reads a TOML file's values with their positions; unknown keys are faults, with a guess at what
 * was meant.
 */
import { parse, TomlError } from 'smol-toml';
import { guess } from '../lib/guess.ts';
import { EXTERNAL } from './external.ts';
import type { ConfigFault, Given, SecretReference, Source } from './fault.ts';
import { takeSecrets } from './named-secrets.ts';
import type { Place } from './named-sections.ts';
import { findPositions } from './positions.ts';
import { SECTIONS, SETTINGS } from './schema.ts';
import type { Setting } from './schema.ts';
import { isTable } from './toml-table.ts';

export interface FileValues {
  readonly isToml: boolean;
  readonly given: readonly Given[];
  readonly references: readonly SecretReference[];
  readonly faults: readonly ConfigFault[];
  /** Sections under names that the operator chose, without their secrets. */
  readonly named: NamedTables;
}

export interface NamedTables {
  readonly audiences: unknown;
  readonly external: unknown;
  /** The settings of their secrets, which may be given elsewhere too. */
  readonly secrets: readonly Setting[];
  readonly place: Place;
}

export const NO_FILE: FileValues = {
  isToml: true,
  given: [],
  references: [],
  faults: [],
  named: {
    audiences: undefined,
    external: undefined,
    secrets: [],
    place: () => ({ kind: 'default' }),
  },
};

/** Reads a file's text; `path` is for messages. */
export function readFileValues(file: { path: string; text: string }): FileValues {
  const path = file.path.replace(/^\.\//, '');
  const text = file.text.replace(/^\uFEFF/, '');
  let document: Record<string, unknown>;
  try {
    document = parse(text, { integersAsBigInt: 'asNeeded' });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const faults = [syntaxFault(path, error)];
    return { ...NO_FILE, isToml: false, faults };
  }
  const positions = findPositions(text);
  const place = (name: string, of: 'key' | 'value'): Source => ({
    kind: 'file',
    path,
    position: positions.get(name)?.[of],
  });
  const given: Given[] = [];
  const references: SecretReference[] = [];
  const faults: ConfigFault[] = [];
  const { audiences, external, ...fixed } = document;
  const providers = takeSecrets(EXTERNAL, external, place);
  given.push(...providers.given);
  references.push(...providers.references);
  for (const { key, raw, meaning } of entriesOf('', fixed)) {
    if ('fault' in meaning) faults.push({ source: place(key, 'key'), message: meaning.fault });
    else if ('secret' in meaning)
      references.push({ setting: meaning.secret, source: place(key, 'value'), path: raw });
    else {
      const { setting } = meaning;
      given.push({ setting, source: place(key, 'value'), raw, secretFile: undefined });
    }
  }
  const named = { audiences, external: providers.table, secrets: providers.settings, place };
  return { isToml: true, given, references, faults, named };
}

type Meaning =
  | { readonly setting: Setting }
  /** The key names the file of this secret. */
  | { readonly secret: Setting }
  | { readonly fault: string };

interface Entry {
  readonly key: string;
  readonly raw: unknown;
  readonly meaning: Meaning;
}

/** Every key of a document with what it means; tables that are sections are walked, not yielded. */
function* entriesOf(parent: string, table: Record<string, unknown>): Generator<Entry> {
  for (const [name, raw] of Object.entries(table)) {
    const key = `${parent}${name}`;
    // A dot within quotes does not separate keys: otherwise one setting could be written in two
    // ways.
    if (name.includes('.')) {
      yield { key, raw, meaning: { fault: unknownName(key, raw, `${parent}"${name}"`) } };
    } else if (isSection(key) && isTable(raw)) {
      yield* entriesOf(`${key}.`, raw);
    } else {
      yield { key, raw, meaning: meaningOf(key, raw) };
    }
  }
}

function meaningOf(key: string, raw: unknown): Meaning {
  if (isSection(key))
    return {
      fault: `${key} is a section. Write [${key}] on a line of its own and its settings below.`,
    };
  const setting = SETTINGS.get(key);
  if (setting !== undefined) return { setting };
  const secret = key.endsWith('_file') ? SETTINGS.get(key.slice(0, -'_file'.length)) : undefined;
  return secret?.secret === true ? { secret } : { fault: unknownName(key, raw, key) };
}

function isSection(key: string): boolean {
  // A table that only has sections below it, such as [otp] of [otp.email], is walked as well.
  return SECTIONS.some(({ name }) => name === key || name.startsWith(`${key}.`));
}

/**
 * The parser's reason names only kinds of things; its excerpt is left out, because it could contain
 * a secret.
 */
function syntaxFault(path: string, error: TomlError): ConfigFault {
  const reason = (error.message.split('\n')[0] ?? '')
    .replace(/^Invalid TOML document: /, '')
    .replace(/["'`].*["'`]/g, '…');
  const position = { line: error.line, column: error.column };
  return {
    source: { kind: 'file', path, position },
    message: `This is not TOML: ${reason}. Texts, durations and sizes stand in quotes.`,
  };
}

function unknownName(key: string, raw: unknown, written: string): string {
  if (!isTable(raw)) return `${shown(written)} is not a setting.${didYouMean(guessKey(key))}`;
  const names = SECTIONS.map((section) => section.name);
  const namesake = names.find((name) => lastOf(name) === lastOf(key));
  return `${shown(written)} is not a section.${didYouMean(namesake ?? guess(key, names))}`;
}

function lastOf(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1);
}

function guessKey(key: string): string | undefined {
  const name = lastOf(key);
  const namesake = [...SETTINGS.values()].find((setting) => setting.name === name);
  const keys = [...SETTINGS.values()].flatMap((setting) =>
    setting.secret ? [setting.key, `${setting.key}_file`] : [setting.key],
  );
  return namesake?.key ?? guessWithin(key, name, keys) ?? guess(key, keys);
}

/**
 * Compares only the name, within the section that was written: a short name leaves less room for
 * typos.
 */
function guessWithin(key: string, name: string, keys: readonly string[]): string | undefined {
  const prefix = key.slice(0, key.length - name.length);
  const meant = guess(
    name,
    keys
      .filter((candidate) => candidate.startsWith(prefix))
      .map((candidate) => candidate.slice(prefix.length)),
  );
  return meant === undefined ? undefined : prefix + meant;
}

export function didYouMean(name: string | undefined): string {
  return name === undefined ? '' : ` Did you mean ${name}?`;
}

/** A key as it was written, on one line: a quoted key can contain anything. */
function shown(key: string): string {
  return /^[A-Za-z0-9_."-]{1,100}$/.test(key) ? key : 'This key';
}
