/**
 * Secrets in sections that may occur several times: each is a setting of its own, with all the
 * sources of a secret (secrets.ts), as soon as the file has its section.
 */
import type * as z from 'zod';
import { settingRegistry } from '../lib/setting-registry.ts';
import type { Given, SecretReference } from './fault.ts';
import type { Place, SectionKind } from './named-sections.ts';
import type { Setting } from './schema.ts';
import { isTable } from './toml-table.ts';

export interface NamedSecrets {
  /** The table without them. */
  readonly table: unknown;
  readonly settings: readonly Setting[];
  readonly given: readonly Given[];
  readonly references: readonly SecretReference[];
}

/** The secrets that a section of this name could have. */
function secretsOf({ table, schema }: SectionKind<z.ZodObject>, name: string): readonly Setting[] {
  return Object.entries(schema.shape).flatMap(([key, value]) => {
    const meta = settingRegistry.get(value);
    if (meta?.secret !== true) return [];
    const section = `${table}.${name}`;
    const env = `POSTERN_${section}_${key}`.replace(/[.-]/g, '_').toUpperCase();
    return [{ ...meta, key: `${section}.${key}`, section, name: key, env }];
  });
}

/** Takes the secrets out of the sections of a kind. */
export function takeSecrets(
  kind: SectionKind<z.ZodObject>,
  table: unknown,
  place: Place,
): NamedSecrets {
  const settings: Setting[] = [];
  const given: Given[] = [];
  const references: SecretReference[] = [];
  if (!isTable(table)) return { table, settings, given, references };
  const rest = Object.entries(table).map(([name, section]) => {
    if (!isTable(section) || !kind.isName(name)) return [name, section];
    const own = secretsOf(kind, name);
    settings.push(...own);
    const others = Object.entries(section).filter(([key, raw]) => {
      const source = place(`${kind.table}.${name}.${key}`, 'value');
      const value = own.find((setting) => setting.name === key);
      const file = own.find((setting) => `${setting.name}_file` === key);
      if (value !== undefined) given.push({ setting: value, source, raw, secretFile: undefined });
      if (file !== undefined) references.push({ setting: file, source, path: raw });
      return value === undefined && file === undefined;
    });
    return [name, Object.fromEntries(others)];
  });
  return { table: Object.fromEntries(rest), settings, given, references };
}

/**
 * The secrets of one section as they were given.
 *
 * @param faulty keys of settings that have a fault already
 */
export function secretsIn(
  section: string,
  effective: ReadonlyMap<string, Given>,
  faulty: ReadonlySet<string>,
): Readonly<Record<string, unknown>> | undefined {
  if ([...faulty].some((key) => key.startsWith(`${section}.`))) return undefined;
  const own = [...effective.values()].filter(({ setting }) => setting.section === section);
  return Object.fromEntries(own.map(({ setting, raw }) => [setting.name, raw]));
}
