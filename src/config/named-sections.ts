/**
 * Sections that may occur several times under names that the operator chooses, such as
 * `[audiences."…"]`. Because of the names they can't be environment variables and must be in the
 * file; only their secrets can be elsewhere too (named-secrets.ts).
 */
import type * as z from 'zod';
import { guess } from '../lib/guess.ts';
import { settingRegistry } from '../lib/setting-registry.ts';
import type { RawValue } from '../lib/setting-registry.ts';
import { explainRefused, formatRaw } from './fault.ts';
import type { ConfigFault, Source } from './fault.ts';
import { isTable } from './toml-table.ts';

export interface SectionKind<Schema extends z.ZodObject> {
  /** The name of the table. */
  readonly table: string;
  readonly schema: Schema;
  readonly isName: (name: string) => boolean;
  /** What a name is, as a sentence. */
  readonly nameRule: string;
  /** A header that an operator could write. */
  readonly example: string;
  /** Values for the example file, of settings that have no useful default. */
  readonly examples?: Readonly<Record<string, RawValue>>;
  /** What is wrong with a section whose settings are valid one by one; undefined if nothing is. */
  readonly fault?: (name: string, settings: z.output<Schema>) => string | undefined;
}

export interface ReadSections<Settings> {
  readonly sections: ReadonlyMap<string, Settings>;
  readonly faults: readonly ConfigFault[];
}

/** The position of a key or value in the file. */
export type Place = (name: string, of: 'key' | 'value') => Source;

/** The secrets of a section: valid ones by name; undefined when one of them has a fault already. */
export type SecretsOf = (name: string) => Readonly<Record<string, unknown>> | undefined;

const NO_SECRETS: SecretsOf = () => ({});

/** Reads all sections of a kind; `table`, without secrets, is undefined if the file has none. */
export function readSections<Schema extends z.ZodObject>(
  kind: SectionKind<Schema>,
  table: unknown,
  place: Place,
  secretsOf = NO_SECRETS,
): ReadSections<z.output<Schema>> {
  const sections = new Map<string, z.output<Schema>>();
  if (table === undefined) return { sections, faults: [] };
  if (!isTable(table)) {
    const message = `${kind.table} is a section. Write ${kind.example}.`;
    return { sections, faults: [{ source: place(kind.table, 'key'), message }] };
  }
  const faults: ConfigFault[] = [];
  for (const [name, settings] of Object.entries(table)) {
    const found = sectionFaults(kind, name, settings, place);
    faults.push(...found);
    if (found.length > 0) continue;
    const secrets = secretsOf(name);
    if (secrets === undefined) continue;
    const read = kind.schema.parse({ ...Object(settings), ...secrets });
    const message = kind.fault?.(name, read);
    if (message === undefined) sections.set(name, read);
    else faults.push({ source: place(`${kind.table}.${name}`, 'key'), message });
  }
  return { sections, faults };
}

function sectionFaults<Schema extends z.ZodObject>(
  { table, schema, isName, nameRule, example }: SectionKind<Schema>,
  name: string,
  settings: unknown,
  place: Place,
): readonly ConfigFault[] {
  const source = place(`${table}.${name}`, 'key');
  const written = `${table}.${JSON.stringify(name)}`;
  if (!isName(name)) return [{ source, message: `${nameRule} Write ${example}.` }];
  if (!isTable(settings))
    return [
      { source, message: `${written} is a section. Write [${written}] on a line of its own.` },
    ];
  return Object.entries(settings).flatMap(([key, raw]) => {
    const known = Object.entries(schema.shape).find(([own]) => own === key)?.[1];
    if (known === undefined) {
      const meant = guess(key, Object.keys(schema.shape));
      const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
      const message = `${written} has a setting that does not exist.${hint}`;
      return [{ source: place(`${table}.${name}.${key}`, 'key'), message }];
    }
    const refusals = settingRegistry.get(known)?.refusals(raw) ?? [];
    const at = place(`${table}.${name}.${key}`, 'value');
    return refusals.map((refusal) => ({
      source: at,
      message: explainRefused(`${written}.${key}`, raw, refusal),
    }));
  });
}

/** The settings of a kind, for the example file and the reference page. */
export function sectionLines({
  table,
  schema,
  examples = {},
}: Pick<SectionKind<z.ZodObject>, 'table' | 'schema' | 'examples'>): readonly (readonly [
  name: string,
  text: string,
  value: string,
])[] {
  return Object.entries(schema.shape).map(([name, setting]) => {
    const meta = settingRegistry.get(setting);
    if (meta === undefined) throw new Error(`${table}: ${name} has no metadata`);
    const { sentence, unit, defaultValue, absent, example } = meta;
    if (meta.secret)
      return [
        `${name}_file`,
        `${sentence} Not set: ${absent}. A secret: ${unit}.`,
        formatRaw(`/run/secrets/${name}`),
      ];
    const shown = examples[name] ?? defaultValue;
    if (shown !== undefined) return [name, `${sentence} (${unit})`, formatRaw(shown)];
    return [name, `${sentence} Not set: ${absent}. (${unit})`, formatRaw(example ?? '')];
  });
}
