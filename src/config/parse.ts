/**
 * Reads the configuration from file, environment and flags, in increasing precedence, or reports
 * everything that is wrong with it. Pure: the disk is a parameter, so that tests can simulate any
 * machine.
 */
import type { RawValue } from '../lib/setting-registry.ts';
import { readEnvValues, readFlags } from './env.ts';
import type { Environment, FlagValue } from './env.ts';
import { ConfigRefused, explain, formatFault } from './fault.ts';
import type { ConfigFault, Given, Source } from './fault.ts';
import { NO_FILE, readFileValues } from './file.ts';
import { readNamed } from './named.ts';
import { RULES } from './rules.ts';
import type { Rule } from './rule.ts';
import { configSchema, SECTIONS, SETTINGS } from './schema.ts';
import type { Config, Setting } from './schema.ts';
import { duplicateSecrets, readSecrets } from './secrets.ts';
import type { ReadSecretFile } from './secrets.ts';

export interface ConfigInput {
  /** The TOML file, if there is one. */
  readonly file?: ConfigFile | undefined;
  readonly env: Environment;
  readonly flags?: readonly FlagValue[];
  readonly readSecretFile: ReadSecretFile;
  /** systemd's $CREDENTIALS_DIRECTORY. */
  readonly credentialsDirectory?: string | undefined;
  /** Further rules, from a caller that knows the features. */
  readonly rules?: readonly Rule[];
}

export interface ConfigFile {
  readonly path: string;
  readonly text: string;
  /** Whether users other than the owner and the group may read it. */
  readonly isReadableByOthers: boolean;
}

/** The origin of an effective value. */
export interface Origin {
  readonly source: Source;
  /** The file that contained it, for a secret. */
  readonly secretFile: string | undefined;
  /** As TOML would have it; undefined if not set and without default, and for every secret. */
  readonly value: RawValue | undefined;
  readonly isSet: boolean;
}

export interface ParsedConfig {
  readonly config: Config;
  /** By key, in the order of the schema. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Whole lines, ready to print. */
  readonly warnings: readonly string[];
}

/**
 * Reads the configuration.
 *
 * @throws {ConfigRefused} with every fault that was found; none repeats a secret
 */
export function parseConfig(input: ConfigInput): ParsedConfig {
  const inFile = input.file === undefined ? NO_FILE : readFileValues(input.file);
  const { named } = inFile;
  const inEnv = readEnvValues(input.env, named.secrets);
  const secrets = readSecrets(
    [...inFile.references, ...inEnv.references],
    input.readSecretFile,
    input.credentialsDirectory,
    named.secrets,
  );
  const given = [
    ...inFile.given,
    ...inEnv.given,
    ...secrets.given,
    ...readFlags(input.flags ?? []),
  ];
  const faults: ConfigFault[] = [
    ...inFile.faults,
    ...inEnv.faults,
    ...secrets.faults,
    ...duplicateSecrets(given, named.secrets),
  ];

  const { effective, refused } = judgeValues(given, faults);
  // A file that could not be read leaves its setting unset; no rule may report it as missing as
  // well.
  const unread = [...inFile.references, ...inEnv.references]
    .map(({ setting }) => setting.key)
    .filter((key) => !given.some(({ setting }) => setting.key === key));
  const skip = new Set([...refused, ...unread]);
  const { audiences, external, faults: namedFaults } = readNamed(named, effective, skip);
  faults.push(...namedFaults);
  const config: Config = { ...configSchema.parse(toDocument(effective)), audiences, external };
  const warnings: ConfigFault[] = [
    ...secrets.warnings,
    ...exposedSecrets(input.file, inFile.given),
  ];
  // If the file is not TOML, its values are unknown, and rules about combinations can't be checked.
  if (inFile.isToml) {
    const rules = [...RULES, ...(input.rules ?? [])];
    for (const { isWarning, ...fault } of brokenRules(rules, config, effective, skip))
      (isWarning ? warnings : faults).push(fault);
  }
  if (faults.length > 0) throw new ConfigRefused(faults);
  return { config, origins: originsOf(effective), warnings: warnings.map(formatFault) };
}

/** The values that count, the last of each setting, and the keys that had one which is refused. */
function judgeValues(
  given: readonly Given[],
  faults: ConfigFault[],
): { effective: Map<string, Given>; refused: Set<string> } {
  const effective = new Map<string, Given>();
  const refused = new Set<string>();
  for (const one of given) {
    const refusals = one.setting.refusals(one.raw);
    for (const refusal of refusals)
      faults.push({ source: one.source, message: explain(one, refusal) });
    if (refusals.length > 0) refused.add(one.setting.key);
    else effective.set(one.setting.key, one);
  }
  return { effective, refused };
}

/** The faults found by the rules about combinations, except rules about a key in `skip`. */
function* brokenRules(
  rules: readonly Rule[],
  config: Config,
  effective: ReadonlyMap<string, Given>,
  skip: ReadonlySet<string>,
): Generator<ConfigFault & { readonly isWarning: boolean }> {
  for (const { keys, isWarning = false, fault } of rules) {
    if (keys.some((key) => skip.has(key))) continue;
    const message = fault(config, (key) => effective.has(key));
    if (message === undefined) continue;
    const place = keys.map((key) => effective.get(key)).find((one) => one !== undefined);
    yield { source: place?.source ?? { kind: 'default' }, message, isWarning };
  }
}

/** The values as a TOML document would have them, with every section present. */
function toDocument(
  effective: ReadonlyMap<string, Given>,
): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    SECTIONS.map(({ name, settings }) => [
      name,
      Object.fromEntries(
        settings.flatMap((setting) =>
          effective.has(setting.key) ? [[setting.name, effective.get(setting.key)?.raw]] : [],
        ),
      ),
    ]),
  );
}

/**
 * A TOML file with a secret that every user can read: a warning and not a fault, because Compose
 * and Kubernetes mount files like that (A05).
 */
function exposedSecrets(
  file: ConfigFile | undefined,
  given: readonly Given[],
): readonly ConfigFault[] {
  if (file?.isReadableByOthers !== true) return [];
  return given
    .filter(({ setting }) => setting.secret)
    .map(({ setting, source }) => ({
      source,
      message: `${setting.key} is in a file that every user of this machine can read. Remove that access with chmod o=.`,
    }));
}

function originsOf(effective: ReadonlyMap<string, Given>): ReadonlyMap<string, Origin> {
  return new Map(
    [...SETTINGS].map(([key, setting]) => [key, originOf(setting, effective.get(key))]),
  );
}

function originOf(setting: Setting, given: Given | undefined): Origin {
  if (given === undefined)
    return {
      source: { kind: 'default' },
      secretFile: undefined,
      value: setting.secret ? undefined : setting.defaultValue,
      isSet: false,
    };
  const value = setting.secret ? undefined : asRaw(given.raw);
  return { source: given.source, secretFile: given.secretFile, value, isSet: true };
}

function asRaw(raw: unknown): RawValue | undefined {
  if (Array.isArray(raw)) return raw.map(String);
  return typeof raw === 'string' || typeof raw === 'number' || typeof raw === 'boolean'
    ? raw
    : undefined;
}
