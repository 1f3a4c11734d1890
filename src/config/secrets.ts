/**
 * Secrets and their sources: a variable, a file named by a variable or the TOML (Compose,
 * Kubernetes), a systemd credential. Two sources at once are refused, because after a rotation it
 * would be unclear which one counts.
 *
 * @see https://systemd.io/CREDENTIALS/
 */
import { splitList } from './env.ts';
import { formatSource } from './fault.ts';
import type { ConfigFault, Given, SecretReference, Source } from './fault.ts';
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
 * Reads the named files, and the credentials in systemd's directory that are named after settings;
 * `named` are the secrets of sections of the file.
 */
export function readSecrets(
  references: readonly SecretReference[],
  readSecretFile: ReadSecretFile,
  credentialsDirectory: string | undefined,
  named: readonly Setting[] = [],
): SecretValues {
  const read = references.map((reference) => readReference(reference, readSecretFile));
  if (credentialsDirectory !== undefined) {
    for (const setting of [...SETTINGS.values(), ...named].filter(({ secret }) => secret))
      read.push(readCredential(setting, credentialsDirectory, readSecretFile));
  }
  return {
    given: read.flatMap(({ given = [] }) => given),
    faults: read.flatMap(({ fault = [] }) => fault),
    warnings: read.flatMap(({ warning = [] }) => warning),
  };
}

/** What one file came to; all absent for a credential that is not there. */
interface ReadSecret {
  readonly given?: Given;
  readonly fault?: ConfigFault;
  readonly warning?: ConfigFault;
}

function readReference(
  { setting, source, path }: SecretReference,
  readSecretFile: ReadSecretFile,
): ReadSecret {
  const name = nameOf(setting, source);
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    const message = `${name} is not a path. Write the path of a file that holds the secret.`;
    return { fault: { source, message } };
  }
  const file = tryRead(readSecretFile, path);
  if ('code' in file)
    return { fault: { source, message: `${name} names ${fileThat(path, file.code)}.` } };
  const given = { setting, source, raw: fromFile(setting, file.text), secretFile: path };
  if (!file.isReadableByOthers) return { given };
  const message = `${JSON.stringify(path)} can be read by every user of this machine. Remove that access with chmod o=.`;
  return { given, warning: { source, message } };
}

function readCredential(
  setting: Setting,
  directory: string,
  readSecretFile: ReadSecretFile,
): ReadSecret {
  const source: Source = { kind: 'credential', name: setting.key };
  const path = `${directory}/${setting.key}`;
  const file = tryRead(readSecretFile, path);
  if (!('code' in file))
    return { given: { setting, source, raw: fromFile(setting, file.text), secretFile: path } };
  if (file.code === 'ENOENT') return {};
  return { fault: { source, message: `This credential ${whyNot(file.code)}.` } };
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
export function duplicateSecrets(
  given: readonly Given[],
  named: readonly Setting[] = [],
): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  for (const setting of [...SETTINGS.values(), ...named]) {
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

function tryRead(readSecretFile: ReadSecretFile, path: string): SecretFile | { code: string } {
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
