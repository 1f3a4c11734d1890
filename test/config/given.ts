/** A configuration as a test gives it: TOML, environment, secret files by path. */
import { ConfigRefused } from '../../src/config/fault.ts';
import { parseConfig } from '../../src/config/parse.ts';
import type { ConfigInput, ParsedConfig } from '../../src/config/parse.ts';
import type { ReadSecretFile } from '../../src/config/secrets.ts';

export interface Given extends Partial<Omit<ConfigInput, 'file' | 'readSecretFile'>> {
  toml?: string;
  files?: Record<string, string>;
  /** Whether others may read config.toml and the secret files. */
  isReadableByOthers?: boolean;
}

/** Secret files that exist in memory alone. */
export function filesOf(files: Record<string, string>, isReadableByOthers = false): ReadSecretFile {
  return (path) => {
    const text = files[path];
    if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return { text, isReadableByOthers };
  };
}

export function parse(given: Given | string = {}): ParsedConfig {
  const {
    toml,
    env = {},
    files = {},
    isReadableByOthers = false,
    ...rest
  } = typeof given === 'string' ? { toml: given } : given;
  const file =
    toml === undefined ? undefined : { path: './config.toml', text: toml, isReadableByOthers };
  return parseConfig({ file, env, readSecretFile: filesOf(files, isReadableByOthers), ...rest });
}

/** The lines of the refusal; none when it was taken. */
export function refusal(given: Given | string): string[] {
  try {
    parse(given);
    return [];
  } catch (error) {
    if (error instanceof ConfigRefused) return error.message.split('\n');
    throw error;
  }
}

/** Two texts that pass for random secrets. */
export const SECRET = 'q7Zk2vXc9LmP4tRw8YbN1sHd6FgJ3aQe5UoT0iKx';
export const OTHER_SECRET = 'Vb3nM6kL9pQ2wE5rT8yU1iO4aS7dF0gHjKzXcC6v';
/** 32 random bytes. */
export const SEAL_KEY = 'k9Qz3vR7xT1mN5bY8cL2wJ6hF4dS0gA-pE_uKiVoXyM';
