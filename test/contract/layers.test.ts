/** The rules of .dependency-cruiser.mjs: src/ keeps them, and each refuses what it is there for. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import rules from '../../.dependency-cruiser.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CRUISER = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
const directory = mkdtempSync(join(tmpdir(), 'postern-layers-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const command = (format: string): string[] => [
  CRUISER,
  'src',
  '--config',
  join(ROOT, '.dependency-cruiser.mjs'),
  '--output-type',
  format,
];

test('every import in src/ keeps the layers, and who may use which package', () => {
  const { stdout, status } = spawnSync(process.execPath, command('err'), {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([0, expect.stringContaining('no dependency violations found')]);
});

/** An import that each rule refuses: the rule, who imports, and what. */
const REFUSED: readonly (readonly [rule: string, from: string, specifier: string])[] = [
  ['resolvable', 'lib/a.ts', './nowhere.ts'],
  ['has-a-layer', 'stray.ts', './lib/base.ts'],
  ['declared', 'lib/b.ts', 'undeclared'],
  ['layer-lib', 'lib/c.ts', '../refusal.ts'],
  ['layer-refusal', 'refusal.ts', './crypto/base.ts'],
  ['layer-crypto', 'crypto/a.ts', '../db/base.ts'],
  ['layer-db', 'db/a.ts', '../crypto/base.ts'],
  ['layer-feature-config', 'features/one/config.ts', '../../refusal.ts'],
  ['layer-feature-config', 'features/one/config.ts', './routes.ts'],
  ['layer-config', 'config/a.ts', '../core/user/base.ts'],
  ['layer-config', 'config/b.ts', '../features/one/routes.ts'],
  ['layer-core', 'core/user/a.ts', '../../config/base.ts'],
  ['layer-core', 'core/user/b.ts', '../../http/base.ts'],
  ['layer-core', 'core/user/c.ts', '../../delivery/base.ts'],
  ['layer-core', 'core/user/d.ts', '../../features/two/config.ts'],
  ['layer-delivery', 'delivery/a.ts', '../http/base.ts'],
  ['layer-http', 'http/a.ts', '../delivery/base.ts'],
  ['layer-http', 'http/b.ts', '../features/one/routes.ts'],
  ['layer-features', 'features/one/a.ts', '../../app/base.ts'],
  ['layer-app', 'app/a.ts', '../cli/base.ts'],
  ['layer-cli', 'cli/a.ts', '../main.ts'],
  ['feature-alone', 'features/one/b.ts', '../two/config.ts'],
  ['core-without-http', 'core/user/e.ts', 'node:http'],
  ['minting-in-core', 'features/one/c.ts', '../../core/token/issue.ts'],
  ['package-hono', 'features/one/d.ts', 'hono/cookie'],
  ['package-hono', 'cli/b.ts', '@hono/node-server'],
  ['package-drizzle-orm', 'features/one/e.ts', 'drizzle-orm'],
  ['package-jose', 'features/one/f.ts', 'jose'],
  ['package-oauth4webapi', 'features/one/i.ts', 'oauth4webapi'],
  ['package-libsql', 'core/user/f.ts', '@libsql/client'],
  ['package-libsql', 'core/user/g.ts', 'libsql'],
  ['package-argon2', 'core/user/h.ts', '@node-rs/argon2'],
  ['package-bcrypt', 'core/user/j.ts', 'bcryptjs'],
  ['package-libphonenumber', 'features/one/g.ts', 'libphonenumber-js/max.js'],
  ['package-prom-client', 'cli/c.ts', 'prom-client'],
  ['package-commander-pino', 'app/b.ts', 'commander'],
  ['package-commander-pino', 'app/c.ts', 'pino'],
  ['package-fs', 'core/user/i.ts', 'node:fs'],
  ['package-fs', 'delivery/b.ts', 'fs/promises'],
];

/** And what they allow. */
const ALLOWED: readonly (readonly [from: string, specifier: string])[] = [
  ['http/ok.ts', '@hono/node-server'],
  ['core/token/ok.ts', 'jose'],
  ['features/two/store.ts', 'drizzle-orm'],
  ['features/two/tables.ts', 'drizzle-orm'],
  ['features/two/ok.ts', './config.ts'],
  ['config/ok.ts', '../features/two/config.ts'],
  ['core/session/ok.ts', '../token/issue.ts'],
  ['http/listen.ts', 'node:fs'],
  ['delivery/folder.ts', 'node:fs/promises'],
  ['cli/version.ts', '../../package.json'],
];

interface Cruise {
  readonly summary: {
    readonly violations: readonly { from: string; to: string; rule: { name: string } }[];
  };
}

describe('on imports made for it', () => {
  const sources = new Map<string, string>(
    ['lib', 'crypto', 'db', 'config', 'core/user', 'http', 'delivery', 'app', 'cli'].map(
      (folder) => [`${folder}/base.ts`, 'export interface X { x: 1 }\n'],
    ),
  );
  for (const path of [
    'main.ts',
    'refusal.ts',
    'core/token/issue.ts',
    'features/one/routes.ts',
    'features/two/config.ts',
  ])
    sources.set(path, 'export interface X { x: 1 }\n');
  // Types count as anything else does.
  for (const [from, specifier] of [...REFUSED.map(([, ...rest]) => rest), ...ALLOWED])
    sources.set(from, `${sources.get(from) ?? ''}import type { X } from '${specifier}';\n`);
  sources.set('crypto/one.ts', "import type { X } from './two.ts';\n");
  sources.set('crypto/two.ts', "import type { X } from './one.ts';\n");

  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  };
  for (const [path, text] of sources) write(`src/${path}`, text);
  const packages = [
    'hono',
    '@hono/node-server',
    'drizzle-orm',
    'jose',
    'oauth4webapi',
    'libsql',
    '@libsql/client',
    '@node-rs/argon2',
    'bcryptjs',
    'commander',
    'pino',
    'prom-client',
    'libphonenumber-js',
  ];
  const dependencies = Object.fromEntries(packages.map((name) => [name, '1.0.0']));
  write('package.json', JSON.stringify({ name: 'x', type: 'module', dependencies }));
  for (const name of [...packages, 'undeclared']) {
    write(`node_modules/${name}/package.json`, JSON.stringify({ name, main: 'index.js' }));
    write(`node_modules/${name}/index.js`, '');
    write(`node_modules/${name}/cookie.js`, '');
    write(`node_modules/${name}/max.js`, '');
  }
  const { summary }: Cruise = JSON.parse(
    execFileSync(process.execPath, command('json'), { cwd: directory, encoding: 'utf8' }),
  );
  const violations = summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`);

  test.each(REFUSED)('%s refuses that %s imports %s', (rule, from) =>
    expect(violations).toContain(`${rule}: src/${from}`),
  );

  test('no-cycle refuses two modules that import each other’s types', () =>
    expect(violations).toContain('no-cycle: src/crypto/one.ts'));

  test('what they allow is refused by none', () =>
    expect(
      violations.filter((violation) =>
        ALLOWED.some(([from]) => violation.endsWith(`: src/${from}`)),
      ),
    ).toEqual([]));

  test('every rule is tried', () => {
    const tried = new Set<string>(['no-cycle', ...REFUSED.map(([rule]) => rule)]);
    // main.ts lies at the right end: there is nothing that it may not import.
    expect(
      rules.forbidden
        .map(({ name }) => name)
        .filter((name) => !tried.has(name) && name !== 'layer-main'),
    ).toEqual([]);
  });
});
