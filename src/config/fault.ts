/**
 * Faults of a configuration, as sentences: where, what was found, what to write instead. All faults
 * are reported at once, to save restarts, and never with a secret, because start-up messages end up
 * in logs, tickets and chats (A05, A07).
 */
import type { RawValue, Refusal } from '../lib/setting-registry.ts';
import type { Position } from './positions.ts';
import type { Setting } from './schema.ts';

/** How many faults are listed; the rest is counted. */
const MAX_FAULTS = 20;

/** Where a value comes from. */
export type Source =
  | { readonly kind: 'default' }
  | { readonly kind: 'file'; readonly path: string; readonly position: Position | undefined }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'credential'; readonly name: string }
  | { readonly kind: 'flag'; readonly name: string };

export interface ConfigFault {
  readonly source: Source;
  /** Whole sentences. */
  readonly message: string;
}

/** A value that was set, before it is read. */
export interface Given {
  readonly setting: Setting;
  readonly source: Source;
  /** As TOML would have it. */
  readonly raw: unknown;
  /** The file that contained it, for a secret. */
  readonly secretFile: string | undefined;
}

/** A secret's file, named in the TOML or by a variable. */
export interface SecretReference {
  readonly setting: Setting;
  readonly source: Source;
  readonly path: unknown;
}

/** A refused configuration. Its message lists the faults, one per line, ready to print. */
export class ConfigRefused extends Error {
  override readonly name = 'ConfigRefused';
  /** At most {@link MAX_FAULTS}, sorted by place. */
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    const sorted = sortFaults(faults);
    const told = sorted.slice(0, MAX_FAULTS);
    const rest = sorted.length - told.length;
    super([...told.map(formatFault), ...(rest > 0 ? [`and ${rest} more`] : [])].join('\n'));
    this.faults = told;
  }
}

/** One line: the place, two spaces, the sentences. */
export function formatFault({ source, message }: ConfigFault): string {
  return `${formatSource(source)}  ${message}`;
}

/** A source's name for people. */
export function formatSource(source: Source): string {
  switch (source.kind) {
    case 'default':
      return 'default';
    case 'file':
      return source.position === undefined
        ? source.path
        : `${source.path}:${source.position.line}:${source.position.column}`;
    case 'credential':
      return `$CREDENTIALS_DIRECTORY/${source.name}`;
    default:
      return source.name;
  }
}

/** The sentences for a value that its setting refuses. */
export function explain(given: Given, { problem, remedy, entry }: Refusal): string {
  const { setting, source, raw } = given;
  const isInFile = source.kind === 'file';
  // Where quotes are not part of the spelling, they would be copied along.
  const advice = isInFile ? remedy : remedy.replaceAll('"', '');
  if (setting.secret) return `${nameSecret(given)} ${problem ?? 'is not accepted'}. ${advice}`;
  if (!isInFile)
    return `${describeValue(entry ?? raw)} ${problem ?? 'is not known here'}. ${advice}`;
  return explainRefused(setting.key, raw, { problem, remedy, entry });
}

/** The same for a value of the file under any key. */
export function explainRefused(
  key: string,
  raw: unknown,
  {
    problem,
    remedy,
    entry,
  }: Refusal | { problem: string | undefined; remedy: string; entry: unknown },
): string {
  const verb = entry === undefined ? 'is' : 'has';
  return `${key} ${verb} ${describeValue(entry ?? raw)}${problem === undefined ? '' : `, which ${problem}`}. ${remedy}`;
}

/** A secret as the subject of a sentence: the setting in a file, else what the source names. */
function nameSecret({ setting, source, secretFile }: Given): string {
  const isOwnFile = secretFile !== undefined;
  if (source.kind === 'file') return `${setting.key}${isOwnFile ? '_file' : ''}`;
  return isOwnFile ? 'its file' : 'its value';
}

/**
 * A value for a sentence: quoted, on one line, shortened, and without what could be a password in a
 * URL.
 */
function describeValue(value: unknown): string {
  if (typeof value === 'string') {
    const text = withoutCredentials(value);
    return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
  }
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  if (value instanceof Date) return 'a date';
  return Array.isArray(value) ? 'a list' : 'a table';
}

/** A value in TOML's spelling. */
export function formatRaw(value: RawValue): string {
  if (typeof value === 'object')
    return `[${value.map((entry) => JSON.stringify(withoutCredentials(entry))).join(', ')}]`;
  return typeof value === 'string' ? JSON.stringify(withoutCredentials(value)) : String(value);
}

/**
 * The parts of a URL that can contain a credential: user name and password, and the values of query
 * and fragment.
 */
function withoutCredentials(text: string): string {
  return text
    .replace(/:\/\/.*@/s, '://…@')
    .replace(/([?&;#](?!mode=|group=)[^=&;#]*=)[^&;#]*/g, '$1…');
}

const ORDER = { file: 0, env: 1, credential: 2, flag: 3, default: 4 } as const satisfies Record<
  Source['kind'],
  number
>;

function sortFaults(faults: readonly ConfigFault[]): readonly ConfigFault[] {
  return faults.toSorted(
    (a, b) => ORDER[a.source.kind] - ORDER[b.source.kind] || comparePlaces(a.source, b.source),
  );
}

function comparePlaces(a: Source, b: Source): number {
  if (a.kind === 'file' && b.kind === 'file') {
    return (
      (a.position?.line ?? 0) - (b.position?.line ?? 0) ||
      (a.position?.column ?? 0) - (b.position?.column ?? 0)
    );
  }
  const [left, right] = [formatSource(a), formatSource(b)];
  return Number(left > right) - Number(left < right);
}
