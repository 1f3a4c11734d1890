/**
 * Settings from the environment: `POSTERN_` and the path in capitals. An unknown variable is a
 * fault, as an unknown key is: otherwise a misspelt lifetime would silently be the default.
 */
import { guess } from '../lib/guess.ts';
import type { RawValue, SettingKind } from '../lib/setting-registry.ts';
import type { ConfigFault, Given, SecretReference } from './fault.ts';
import { didYouMean } from './file.ts';
import { SETTINGS } from './schema.ts';
import type { Setting } from './schema.ts';

/** The variable that names the file; read by {@link locateConfig}, not a setting. */
export const CONFIG_VARIABLE = 'POSTERN_CONFIG';

/** Environment variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

// Kubernetes sets variables named after each service of the namespace; one called "postern" or
// "postern-public" must not stop the start. Only mail.smtp.port has such a name; a value that
// Kubernetes would set for a service "postern-mail-smtp" is refused as that setting's value. A test
// checks that there is no other.
const SERVICE_LINK =
  /^POSTERN_(?:[A-Z0-9_]+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)$/;

/** Whether Kubernetes sets such a name for a service. */
export function isServiceLink(name: string): boolean {
  return SERVICE_LINK.test(name);
}

export interface EnvValues {
  readonly given: readonly Given[];
  readonly references: readonly SecretReference[];
  readonly faults: readonly ConfigFault[];
}

/**
 * Reads every variable whose name starts with `POSTERN_`.
 *
 * @param named secrets of sections of the file
 */
export function readEnvValues(env: Environment, named: readonly Setting[] = []): EnvValues {
  const byName = new Map([...SETTINGS.values(), ...named].map((setting) => [setting.env, setting]));
  const known = [
    CONFIG_VARIABLE,
    ...[...byName.values()].flatMap((setting) =>
      setting.secret ? [setting.env, `${setting.env}_FILE`] : [setting.env],
    ),
  ];
  const isInCluster = env['KUBERNETES_SERVICE_HOST'] !== undefined;
  const given: Given[] = [];
  const references: SecretReference[] = [];
  const faults: ConfigFault[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith('POSTERN_') || name === CONFIG_VARIABLE) continue;
    const source = { kind: 'env', name } as const;
    const setting = byName.get(name);
    const secret = name.endsWith('_FILE') ? byName.get(name.slice(0, -'_FILE'.length)) : undefined;
    if (setting !== undefined)
      given.push({ setting, source, raw: fromText(setting.kind, text), secretFile: undefined });
    else if (secret?.secret === true) references.push({ setting: secret, source, path: text });
    else if (!(isInCluster && isServiceLink(name)))
      faults.push({ source, message: `is not a setting.${didYouMean(guess(name, known))}` });
  }
  return { given, references, faults };
}

/** Reads the flags that stand for settings: `server.listen` and `log.level`. */
export function readFlags(flags: readonly FlagValue[]): readonly Given[] {
  return flags.map(({ key, flag, text }) => {
    const setting = SETTINGS.get(key);
    if (setting === undefined) throw new Error(`${flag} is for ${key}, which is not a setting`);
    return {
      setting,
      source: { kind: 'flag', name: flag },
      raw: fromText(setting.kind, text),
      secretFile: undefined,
    };
  });
}

/** A command-line flag that stands for a setting. */
export interface FlagValue {
  readonly key: string;
  /** As in `--listen`. */
  readonly flag: string;
  readonly text: string;
}

/**
 * Converts a text to the TOML value; if that is impossible it stays a text, which the setting
 * refuses.
 */
function fromText(kind: SettingKind, text: string): RawValue {
  if (kind === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if (kind === 'integer' && /^-?\d{1,16}$/.test(text)) return Number(text);
  if (kind === 'list' || kind === 'secret_list') return splitList(text, ',');
  return text;
}

/** The entries of a list in one text; surrounding white space and empty entries are ignored. */
export function splitList(text: string, separator: string): readonly string[] {
  return text
    .split(separator)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
