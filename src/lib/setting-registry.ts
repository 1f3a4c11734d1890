/**
 * The metadata of settings: a zod schema with metadata in a registry (sentence, unit, default,
 * kind), and a reader that explains its refusals. The kinds of settings are in setting.ts.
 */
import * as z from 'zod';

/** A value from TOML, before it is parsed. */
export type RawValue = string | number | boolean | readonly string[];

export type SettingKind =
  | 'duration'
  | 'size'
  | 'rate'
  | 'integer'
  | 'boolean'
  | 'choice'
  | 'text'
  | 'list'
  | 'secret'
  | 'secret_list';

/**
 * Why a value is refused, as parts of a sentence: `<key> is <value>, which <problem>. <remedy>`.
 * Never contains a secret.
 */
export interface Refusal {
  /**
   * A verb phrase, such as "has no scheme". Without it, the value is simply not one of the allowed
   * ones.
   */
  readonly problem?: string;
  /** A whole sentence that says what to write, in TOML's spelling (texts in quotes). */
  readonly remedy: string;
  /** The list entry that is refused. */
  readonly entry?: unknown;
}

/** A setting's metadata. */
export interface SettingMeta {
  readonly kind: SettingKind;
  readonly sentence: string;
  /** What the value counts, or its format. */
  readonly unit: string | undefined;
  /** As written in TOML; undefined if there is none. */
  readonly defaultValue: RawValue | undefined;
  /** What applies without a value, for settings without a default. */
  readonly absent: string | undefined;
  /** A value for the example file, for settings without a default. Never a secret. */
  readonly example: string | undefined;
  readonly secret: boolean;
  /** Everything that is wrong with a raw value; empty if it is valid. */
  readonly refusals: (raw: unknown) => readonly Refusal[];
}

/** The metadata of all settings. */
export const settingRegistry = z.registry<SettingMeta>();
/** The sentences of all sections. */
export const sectionRegistry = z.registry<{ sentence: string }>();

/** A value that was read, or the reasons why it is refused. */
export type Reading<T> = { readonly value: T } | { readonly refusals: readonly Refusal[] };

export interface Description {
  readonly kind: SettingKind;
  readonly sentence: string;
  readonly unit?: string | undefined;
  readonly defaultValue?: RawValue | undefined;
  readonly absent?: string | undefined;
  readonly example?: string | undefined;
}

/** A reading that refuses a value for one reason. */
export const refuse = (
  problem: string | undefined,
  remedy: string,
): { refusals: readonly Refusal[] } => ({
  refusals: [problem === undefined ? { remedy } : { problem, remedy }],
});

function describe<S extends z.ZodType>(
  schema: S,
  description: Description,
  read: (raw: unknown) => Reading<unknown>,
): S {
  const { kind, sentence, unit, defaultValue, absent, example } = description;
  const secret = kind === 'secret' || kind === 'secret_list';
  const refusals = (raw: unknown): readonly Refusal[] => {
    const reading = read(raw);
    return 'refusals' in reading ? reading.refusals : [];
  };
  settingRegistry.add(schema, {
    kind,
    sentence,
    unit,
    defaultValue,
    absent,
    example,
    secret,
    refusals,
  });
  return schema;
}

function reader<T>(read: (raw: unknown) => Reading<T>): z.ZodType<T> {
  return z.unknown().transform((raw, context): T => {
    const reading = read(raw);
    if ('value' in reading) return reading.value;
    for (const { remedy } of reading.refusals)
      context.addIssue({ code: 'custom', message: remedy });
    return z.NEVER;
  });
}

/** A setting that always has a value. */
export function settingWithDefault<T>(
  description: Description & { defaultValue: RawValue },
  read: (raw: unknown) => Reading<T>,
): z.ZodType<T> {
  return describe(reader(read).prefault(description.defaultValue), description, read);
}

/** A setting that may be absent. */
export function settingWithoutDefault<T>(
  description: Description,
  read: (raw: unknown) => Reading<T>,
): z.ZodType<T | undefined> {
  return describe(reader(read).optional(), description, read);
}
