/** Loads the configuration for a verb and prints its warnings. */
import { featureRules } from '../app/feature-rules.ts';
import { SETTINGS } from '../config/schema.ts';
import { locateConfig } from '../config/locate.ts';
import { parseConfig } from '../config/parse.ts';
import type { ParsedConfig } from '../config/parse.ts';
import type { FlagValue } from '../config/env.ts';
import { features } from '../features/index.ts';
import { longName } from './verb.ts';
import type { VerbCall } from './verb.ts';

export interface LoadedConfig extends ParsedConfig {
  /** The file that was read; undefined if there is none. */
  readonly path: string | undefined;
}

/**
 * Reads the effective configuration: file, environment, and the verb's options that override
 * settings.
 *
 * @throws {ConfigRefused} the program prints it and exits with 78
 */
export function loadConfig(call: VerbCall): LoadedConfig {
  const { env, readFile } = call.context;
  const file = locateConfig({ flag: call.text('config'), env, readFile });
  const parsed = parseConfig({
    file,
    env,
    flags: flagsOf(call),
    readSecretFile: readFile,
    rules: featureRules(features),
    credentialsDirectory: env['CREDENTIALS_DIRECTORY'],
  });
  for (const warning of parsed.warnings) call.output.warn(warning);
  return { ...parsed, path: file?.path };
}

function flagsOf(call: VerbCall): readonly FlagValue[] {
  return (call.verb.options ?? []).flatMap((option) => {
    const key = option.setting;
    if (key === undefined || !SETTINGS.has(key)) return [];
    const flag = longName(option);
    const given = option.isRepeatable === true ? call.texts(flag) : [call.text(flag) ?? []].flat();
    return given.length === 0 ? [] : [{ key, flag: `--${flag}`, text: given.join(',') }];
  });
}
