/**
 * Secrets and their sources: a variable, a file named by a variable or the TOML (Compose,
 * Kubernetes), a systemd credential. Two sources at once are refused, because after a rotation it
 * would be unclear which one counts.
 *
 * @see https://systemd.io/CREDENTIALS/
 */
import { splitList } from './env.ts';
import { formatSource } from './fault.ts';
import type { ConfigFault, Given, Source } from './fault.ts';
import type { SecretReference } from './file.ts';
import { SETTINGS } from './schema.ts';
import type { Setting } from './schema.ts';

/** The content of a secret's file. */
export interface SecretFile {
  readonly text: string;
  /** Whether users other than the owner and the group may read it. */
  readonly isReadableByOthers: boolean;
}

/** Reads a secret's file. @throws an error with a `code` such as ENOENT or EACCES */
export type ReadSecretFile = (path: string) => SecretFile;

export interface SecretValues {
  readonly given: readonly Given[];
  readonly faults: readonly ConfigFault[];
  readonly warnings: readonly ConfigFault[];
}

/**
 * Reads the named files, and the credentials in systemd's directory that are named after settings.
 */
export function readSecrets(
  references: readonly SecretReference[],
  readSecretFile: ReadSecretFile,
  credentialsDirectory: string | undefined,
): SecretValues {
  const given: Given[] = [];
  const faults: ConfigFault[] = [];
  const warnings: ConfigFault[] = [];
  for (const { setting, source, path } of references) {
    if (typeof path !== 'string' || path === '' || path.includes('\0')) {
      faults.push({
        source,
        message: `${nameOf(setting, source)} is not a path. Write the path of a file that holds the secret.`,
      });
      continue;
    }
    const file = read(readSecretFile, path);
    if ('code' in file) {
      faults.push({
        source,
        message: `${nameOf(setting, source)} names ${fileThat(path, file.code)}.`,
      });
      continue;
    }
    if (file.isReadableByOthers) {
      warnings.push({
        source,
        message: `${JSON.stringify(path)} can be read by every user of this machine. Remove that access with chmod o=.`,
      });
    }
    given.push({ setting, source, raw: fromFile(setting, file.text), secretFile: path });
  }
  if (credentialsDirectory !== undefined) {
    for (const setting of [...SETTINGS.values()].filter(({ secret }) => secret)) {
      const source: Source = { kind: 'credential', name: setting.key };
      const path = `${credentialsDirectory}/${setting.key}`;
      const file = read(readSecretFile, path);
      if (!('code' in file))
        given.push({ setting, source, raw: fromFile(setting, file.text), secretFile: path });
      else if (file.code !== 'ENOENT')
        faults.push({ source, message: `This credential ${whyNot(file.code)}.` });
    }
  }
  return { given, faults, warnings };
}

/**
 * A path is repeated only when there is such a file: otherwise an operator may have written the
 * secret itself there.
 */
function fileThat(path: string, code: string): string {
  const isThere = ['EACCES', 'EPERM', 'EISDIR'].includes(code);
  return `${isThere ? `${JSON.stringify(path)}, which` : 'a file that'} ${whyNot(code)}`;
}

/** Secrets that are set in more than one way; one fault for each, at the last place. */
export function duplicateSecrets(given: readonly Given[]): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  for (const setting of SETTINGS.values()) {
    const ways = given.filter((one) => one.setting === setting);
    const last = ways.at(-1);
    if (!setting.secret || last === undefined || ways.length < 2) continue;
    const others = ways.slice(0, -1).map(({ source }) => formatSource(source));
    faults.push({
      source: last.source,
      message: `${setting.key} is set by ${others.join(' and ')} too. Keep one of them.`,
    });
  }
  return faults;
}

function nameOf(setting: Setting, source: Source): string {
  return source.kind === 'file' ? `${setting.key}_file` : 'It';
}

/** Removes one trailing line end, which editors add; a list has one secret per line. */
function fromFile(setting: Setting, text: string): string | readonly string[] {
  return setting.kind === 'secret_list' ? splitList(text, '\n') : text.replace(/\r?\n$/, '');
}

function read(readSecretFile: ReadSecretFile, path: string): SecretFile | { code: string } {
  try {
    return readSecretFile(path);
  } catch (error) {
    const code =
      error instanceof Error && 'code' in error && typeof error.code === 'string'
        ? error.code
        : undefined;
    if (code === undefined) throw error;
    return { code };
  }
}

/** The end of a sentence about a file that could not be read. */
export function whyNot(code: string): string {
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8';
  if (code === 'EISDIR') return 'is a directory';
  return `can't be read (${code})`;
}
