/** Where things lie, how long they are, and what they may be called. */
import { describe, expect, test } from 'vitest';
import { readModules } from './source.ts';

// What a generator wrote is measured by nobody.
const modules = readModules().filter(({ path }) => path !== 'db/migrations.ts');
const paths = modules.map(({ path }) => path);

/** What lies in src/ itself. */
const TOP = ['main.ts', 'refusal.ts'];

/** Aspects of a feature that always have these names; everything else is named after what it does. */
const ASPECTS = /^(?:config|tables|store|factor|routes|index)\.ts$/;
const OPERATION = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*\.ts$/;

/** Files of core that belong to no noun: what every feature is given, and what binds core together. */
const CORE_TOP = [
  'kernel.ts',
  'requester.ts',
  'context.ts',
  'commit.ts',
  'guards.ts',
  'housekeeping.ts',
  'sweep.ts',
];
const CORE_NOUNS = [
  'api-key',
  'attempt',
  'audit',
  'email',
  'factor',
  'limit',
  'one-time',
  'password',
  'sealed-value',
  'session',
  'signing-key',
  'sms',
  'storage',
  'token',
  'user',
];

/** Files of features/ that belong to no feature. */
const FEATURES_TOP = ['feature.ts', 'index.ts'];

const under = (folder: string): string[][] =>
  paths.filter((path) => path.startsWith(`${folder}/`)).map((path) => path.split('/').slice(1));

describe('folders', () => {
  test('src holds layers, the entry and the refusals', () =>
    expect(paths.filter((path) => !path.includes('/') && !TOP.includes(path))).toEqual([]));

  test('core has a folder for each noun, and few files beside them', () => {
    const core = under('core');
    expect(
      core.filter(([first = '', ...rest]) =>
        rest.length === 0 ? !CORE_TOP.includes(first) : !CORE_NOUNS.includes(first),
      ),
    ).toEqual([]);
    expect(core.filter(({ length }) => length > 2)).toEqual([]);
  });

  test('a feature is a folder without folders, and has an index', () => {
    const features = under('features');
    const names = new Set(features.flatMap(([name = '', file]) => (file ? [name] : [])));
    expect(
      features.filter(([name = '', file, ...deeper]) =>
        file === undefined ? !FEATURES_TOP.includes(name) : deeper.length > 0,
      ),
    ).toEqual([]);
    expect([...names].filter((name) => !paths.includes(`features/${name}/index.ts`))).toEqual([]);
  });

  test('a file of a feature is an aspect or is named after one thing that it does', () =>
    expect(
      under('features').filter(
        ([, file]) => file !== undefined && !ASPECTS.test(file) && !OPERATION.test(file),
      ),
    ).toEqual([]));

  test('no file is named after nothing, or after several aspects', () =>
    expect(
      paths.filter((path) =>
        /(?:^|\/)(?:utils?|helpers?|services?|managers?|types|common|misc|operations|library|capabilities)(?:\.ts|\/)|^features\/.*-(?:routes|store|config|tables)\.ts$/.test(
          path,
        ),
      ),
    ).toEqual([]));
});

describe('size', () => {
  test('no file is longer than 300 lines', () =>
    expect(
      modules
        .filter(({ lines }) => lines.length > 300)
        .map(({ path, lines }) => `${path}: ${lines.length}`),
    ).toEqual([]));

  test('fewer than one line in a hundred has over 100 columns', () => {
    const lines = modules.flatMap((module) => module.lines);
    const long = lines.filter(({ length }) => length > 100);
    expect(long.length / lines.length).toBeLessThan(0.01);
  });
});
