/** `postern init`: writes a commented configuration and secret files, if there are none. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { exampleConfig } from '../config/example.ts';
import { createSystemRandom } from '../crypto/secret.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

/** Secrets that a service should have from the start: setting, file, sentence. */
const SECRETS = [
  ['secrets', 'key_encryption_key_file', 'key-encryption-key'],
  ['password', 'pepper_file', 'pepper'],
] as const;

export const init: Verb = {
  name: 'init',
  summary: 'Writes config.toml, every setting in it explained, and secret files; asks nothing.',
  examples: ['postern init', 'postern init --dir /etc/postern'],
  options: [
    { flags: '--dir <folder>', sentence: 'where to write them', default: '.' },
    JSON_OPTION,
  ],
  run: (call) => {
    const given = call.text('dir') ?? '.';
    const folder = resolve(call.context.cwd, given);
    const config = join(folder, 'config.toml');
    const secrets = SECRETS.map(([section, name, file]) => ({
      section,
      name,
      path: join(folder, 'secrets', file),
    }));
    const there = [config, ...secrets.map(({ path }) => path)].filter((path) => existsSync(path));
    if (there.length > 0)
      throw new CliRefusal(
        EXIT.failed,
        `${there.join(', ')} is there already. Nothing was written.`,
      );
    try {
      mkdirSync(join(folder, 'secrets'), { recursive: true, mode: 0o700 });
      for (const { path } of secrets)
        writeFileSync(path, `${createSystemRandom().bytes(32).toString('base64url')}\n`, {
          mode: 0o600,
          flag: 'wx',
        });
      const text = secrets.reduce(
        (all, { section, name, path }) =>
          all.replace(`[${section}]\n`, `[${section}]\n\n${name} = ${JSON.stringify(path)}\n`),
        exampleConfig(),
      );
      writeFileSync(config, text, { mode: 0o640, flag: 'wx' });
    } catch (cause) {
      const code =
        cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
      throw new CliRefusal(EXIT.failed, `${folder} can't be written: ${code}.`, { cause });
    }
    const paths = [config, ...secrets.map(({ path }) => path)];
    if (call.has('json')) call.output.answerJson({ files: paths });
    else for (const path of paths) call.output.answer(path);
    call.output.progress(
      'Keep the secrets: without them no password and no key can be read. Next: set server.public_url, then postern config check',
    );
    return EXIT.done;
  },
};
