/**
 * Finds the configuration file: the first of `--config`, POSTERN_CONFIG, ./config.toml and
 * /etc/postern/config.toml that exists. Files are not merged, so the effective file is in one
 * place.
 */
import { CONFIG_VARIABLE } from './env.ts';
import type { Environment } from './env.ts';
import { ConfigRefused } from './fault.ts';
import type { Source } from './fault.ts';
import type { ConfigFile } from './parse.ts';
import { whyNot } from './secrets.ts';
import type { SecretFile } from './secrets.ts';

/** Tried in this order when no file is named. */
export const USUAL_PATHS = ['./config.toml', '/etc/postern/config.toml'] as const;

export interface ConfigSearch {
  /** The value of `--config`. */
  readonly flag?: string | undefined;
  readonly env: Environment;
  /** Reads a file. @throws an error with a `code` such as ENOENT or EACCES */
  readonly readFile: (path: string) => SecretFile;
}

/**
 * Finds and reads the configuration file; undefined when none exists and none was named.
 *
 * @throws {ConfigRefused} for a named file that doesn't exist, and for any that can't be read
 */
export function locateConfig({ flag, env, readFile }: ConfigSearch): ConfigFile | undefined {
  const variable = env[CONFIG_VARIABLE];
  if (flag !== undefined) return readNamed(flag, { kind: 'flag', name: '--config' }, readFile);
  if (variable !== undefined)
    return readNamed(variable, { kind: 'env', name: CONFIG_VARIABLE }, readFile);
  for (const path of USUAL_PATHS) {
    const file = read(path, readFile);
    if (!('code' in file)) return file;
    if (file.code !== 'ENOENT' && file.code !== 'ENOTDIR')
      throw refused(
        { kind: 'file', path: path.replace(/^\.\//, ''), position: undefined },
        `This file ${whyNot(file.code)}.`,
      );
  }
  return undefined;
}

function readNamed(path: string, source: Source, readFile: ConfigSearch['readFile']): ConfigFile {
  const file = path === '' ? { code: 'ENOENT' } : read(path, readFile);
  if ('code' in file) throw refused(source, `${JSON.stringify(path)} ${whyNot(file.code)}.`);
  return file;
}

function read(path: string, readFile: ConfigSearch['readFile']): ConfigFile | { code: string } {
  try {
    return { path, ...readFile(path) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string')
      return { code: error.code };
    throw error;
  }
}

function refused(source: Source, message: string): ConfigRefused {
  return new ConfigRefused([{ source, message }]);
}
