/**
 * The Dockerfile against the package: no engine is needed to see that what it names is there and
 * that what must not be in it is not.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { VERBS } from '../../src/cli/index.ts';
import { parseConfig } from '../../src/config/parse.ts';
import { dockerfileStages, textsOf } from '../support/dockerfile.ts';
import type { Instruction } from '../support/dockerfile.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const about = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

const stages = dockerfileStages();
const [build = [], final = []] = stages;
const all = textsOf;
const only = (stage: readonly Instruction[], name: string): string => {
  const found = all(stage, name);
  expect([name, found.length]).toEqual([name, 1]);
  return found[0] ?? '';
};
/** The paths that COPY takes, without its options and its target. */
const copied = (text: string): string[] =>
  text
    .split(/\s+/)
    .filter((word) => !word.startsWith('--'))
    .slice(0, -1);
const json = (text: string): string[] => JSON.parse(text);

describe('the Dockerfile', () => {
  test('has two stages: the first builds by Node 24, the last one holds no Node and no npm', () => {
    expect(stages).toHaveLength(2);
    expect(only(build, 'FROM')).toMatch(/^node:24(\.\d+)*-\S+ AS \w+$/);
    expect(only(final, 'FROM')).toMatch(/^debian:\w+-slim$/);
    expect(about.engines.node).toMatch(/^>=20/);
    expect(all(final, 'RUN').join(' ')).not.toMatch(/npm|node|apt/);
  });

  test('copies only what is in the repository or comes out of the build', () => {
    const fromRepository = [
      ...all(build, 'COPY'),
      ...all(final, 'COPY').filter((text) => !text.includes('--from=')),
    ].flatMap(copied);
    for (const path of fromRepository)
      expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
    const fromBuild = all(final, 'COPY')
      .filter((text) => text.includes('--from='))
      .flatMap(copied);
    const name = / AS (\w+)$/.exec(only(build, 'FROM'))?.[1];
    const workdir = only(build, 'WORKDIR');
    for (const text of all(final, 'COPY').filter((one) => one.includes('--from=')))
      expect(text).toContain(`--from=${name} `);
    expect(fromBuild).toEqual([`${workdir}/dist/postern`]);
  });

  test('what the build needs is copied before it: the lock for npm ci, and what npm run build:binary reads', () => {
    const at = (part: RegExp): number => build.findIndex(({ text }) => part.test(text));
    expect(at(/package-lock\.json/)).toBeLessThan(at(/^npm ci/));
    expect(at(/^npm ci/)).toBeGreaterThan(-1);
    expect(at(/apt-get install .*binutils/)).toBeGreaterThan(-1);
    for (const folder of ['packaging', 'scripts', 'src'])
      expect(
        build.findIndex(({ name, text }) => name === 'COPY' && copied(text).includes(folder)),
      ).toBeLessThan(at(/npm run build:binary/));
    expect(about.scripts['build:binary']).toBe('node scripts/build-binary.mjs');
  });

  test('runs as a user without rights, from the moment that nothing has to be made any more', () => {
    expect(only(final, 'USER')).toMatch(/^(node|nonroot|\d{4,}(:\d+)?)$/);
    const after = final
      .slice(final.findIndex(({ name }) => name === 'USER') + 1)
      .map(({ name }) => name);
    expect(after).not.toContain('RUN');
    expect(after).not.toContain('COPY');
  });

  test('keeps its state in the volume, which belongs to its user and to nobody else', () => {
    const volume = only(final, 'VOLUME');
    const env = environment();
    expect(env['POSTERN_DATABASE_URL']).toBe(`file:${volume}/postern.db`);
    const made = all(final, 'RUN').join(' ');
    const [user, group] = only(final, 'USER').split(':');
    expect(made).toContain(`install -d -m 0700 -o ${user} -g ${group} ${volume}`);
    // The root may be read-only: the native code is loaded from a file in the volume.
    expect(env['TMPDIR']).toBe(volume);
    expect(final.findIndex(({ name }) => name === 'RUN')).toBeLessThan(
      final.findIndex(({ name }) => name === 'VOLUME'),
    );
  });

  test('listens where EXPOSE says, on every address of the container, and the settings it has are settings', () => {
    const env = environment();
    expect(env['POSTERN_SERVER_LISTEN']).toBe(`tcp://0.0.0.0:${only(final, 'EXPOSE')}`);
    const settings = Object.fromEntries(
      Object.entries(env).filter(([name]) => name.startsWith('POSTERN_')),
    );
    const { config } = parseConfig({
      env: {
        ...settings,
        POSTERN_SERVER_PUBLIC_URL: 'https://auth.example.com',
        POSTERN_MAIL_TRANSPORTS: 'file',
      },
      readSecretFile: () => ({ text: '', isReadableByOthers: false }),
    });
    expect(config.server.listen).toEqual([{ kind: 'tcp', host: '0.0.0.0', port: 7_400 }]);
  });

  test('starts the program itself, without a shell between it and its signals, and asks it for its health', () => {
    const program = copied(all(final, 'COPY')[0] ?? '').length === 1 ? '/usr/bin/postern' : '';
    expect(json(only(final, 'ENTRYPOINT'))).toEqual([program]);
    const [verb] = json(only(final, 'CMD'));
    const [, check = '[]'] = /CMD (\[.*\])$/.exec(only(final, 'HEALTHCHECK')) ?? [];
    expect(json(check)).toEqual([program, 'health']);
    expect(VERBS.map(({ name }) => name)).toEqual(expect.arrayContaining([verb, 'health']));
  });

  test('holds no secret, and .dockerignore keeps state, configuration and history out of the context', () => {
    const words = stages
      .flat()
      .filter(({ name }) => name === 'ENV' || name === 'ARG')
      .map(({ text }) => text)
      .join(' ');
    expect(words).not.toMatch(/KEY|TOKEN|SECRET|PEPPER|PASSWORD/);
    const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
      .split('\n')
      .map((line) => line.replace(/^\/|\/$/g, ''));
    if (!ignored.includes('*'))
      expect(ignored).toEqual(
        expect.arrayContaining(['node_modules', 'data', 'config.toml', '.git']),
      );
  });
});

function environment(): Record<string, string> {
  return Object.fromEntries(
    all(final, 'ENV')
      .flatMap((text) => text.split(/\s+/))
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  );
}
