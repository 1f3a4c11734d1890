/** The values of a TOML file with their places; unknown keys are faults, each with a guess at what was meant. */
import { parse, TomlError } from 'smol-toml';
import { guess } from '../lib/guess.ts';
import type { ConfigFault, Given, Source } from './fault.ts';
import { findPositions } from './positions.ts';
import { SECTIONS, SETTINGS } from './schema.ts';
import type { Setting } from './schema.ts';

/** A secret's file, named in the TOML or by a variable. */
export interface SecretReference {
  readonly setting: Setting;
  readonly source: Source;
  readonly path: unknown;
}

export interface FileValues {
  readonly isToml: boolean;
  readonly given: readonly Given[];
  readonly references: readonly SecretReference[];
  readonly faults: readonly ConfigFault[];
}

/** Reads a file's text; `path` is for the messages. */
export function readFileValues(file: { path: string; text: string }): FileValues {
  const path = file.path.replace(/^\.\//, '');
  const text = file.text.replace(/^\uFEFF/, '');
  let document: Record<string, unknown>;
  try {
    document = parse(text, { integersAsBigInt: 'asNeeded' });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { isToml: false, given: [], references: [], faults: [syntaxFault(path, error)] };
  }
  const positions = findPositions(text);
  const place = (name: string, of: 'key' | 'value'): Source => ({ kind: 'file', path, position: positions.get(name)?.[of] });
  const given: Given[] = [];
  const references: SecretReference[] = [];
  const faults: ConfigFault[] = [];
  for (const [name, table] of Object.entries(document)) {
    const section = SECTIONS.find((candidate) => candidate.name === name);
    if (section === undefined) {
      faults.push({ source: place(name, 'key'), message: unknownTopLevel(name, table) });
    } else if (!isTable(table)) {
      faults.push({ source: place(name, 'key'), message: `${name} is a section. Write [${name}] on a line of its own and its settings below.` });
    } else {
      for (const [key, raw] of entriesOf(name, table)) {
        const setting = key.slice(key.lastIndexOf('.') + 1);
        const known = SETTINGS.get(key);
        const secret = setting.endsWith('_file') ? SETTINGS.get(key.slice(0, -'_file'.length)) : undefined;
        if (known !== undefined) given.push({ setting: known, source: place(key, 'value'), raw, secretFile: undefined });
        else if (secret?.secret === true) references.push({ setting: secret, source: place(key, 'value'), path: raw });
        else faults.push({ source: place(key, 'key'), message: unknownKey(key) });
      }
    }
  }
  return { isToml: true, given, references, faults };
}

/** The settings of a section and of those below it, by key: `[mail.smtp]` is a section of its own. */
function entriesOf(name: string, table: Record<string, unknown>): readonly (readonly [key: string, raw: unknown])[] {
  return Object.entries(table).flatMap(([entry, raw]) => {
    const key = `${name}.${entry}`;
    return isTable(raw) && SECTIONS.some((section) => section.name === key) ? entriesOf(key, raw) : [[key, raw] as const];
  });
}

/** The parser's own words name kinds of things only; its excerpt is left out, for it could show a secret. */
function syntaxFault(path: string, error: TomlError): ConfigFault {
  const reason = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '').replace(/["'`].*["'`]/g, '…');
  const position = { line: error.line, column: error.column };
  return { source: { kind: 'file', path, position }, message: `This is not TOML: ${reason}. Texts, durations and sizes stand in quotes.` };
}

function unknownKey(key: string): string {
  return `${shown(key)} is not a setting.${didYouMean(guessKey(key))}`;
}

function unknownTopLevel(name: string, value: unknown): string {
  if (!isTable(value)) return unknownKey(name);
  const meant = guess(name, SECTIONS.map((section) => section.name));
  return `${shown(name)} is not a section.${didYouMean(meant)}`;
}

function guessKey(key: string): string | undefined {
  const name = key.slice(key.lastIndexOf('.') + 1);
  const namesake = [...SETTINGS.values()].find((setting) => setting.name === name);
  const keys = [...SETTINGS.values()].flatMap((setting) => (setting.secret ? [setting.key, `${setting.key}_file`] : [setting.key]));
  return namesake?.key ?? guessWithin(key, name, keys) ?? guess(key, keys);
}

/** Near in the name alone, within the section that was written: a short name has fewer letters to be wrong in. */
function guessWithin(key: string, name: string, keys: readonly string[]): string | undefined {
  const prefix = key.slice(0, key.length - name.length);
  const meant = guess(name, keys.filter((candidate) => candidate.startsWith(prefix)).map((candidate) => candidate.slice(prefix.length)));
  return meant === undefined ? undefined : prefix + meant;
}

export function didYouMean(name: string | undefined): string {
  return name === undefined ? '' : ` Did you mean ${name}?`;
}

/** A key as it was written, on one line: a quoted key can hold anything. */
function shown(key: string): string {
  return /^[A-Za-z0-9_.-]{1,100}$/.test(key) ? key : 'This key';
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
