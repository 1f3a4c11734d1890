/** The import rule of the house, and the smells that stop a review. */
import { describe, expect, test } from 'vitest';
import { blank, readModule, readModules } from './source.ts';
import type { Module } from './source.ts';

const modules = readModules();
const byPath = new Map(modules.map((module) => [module.path, module]));

/** Left never imports right. Rooms of one layer don't import each other either. */
const LAYERS: readonly (readonly { name: string; holds: RegExp }[])[] = [
  [
    { name: 'lib', holds: /^lib\// },
    { name: 'problem', holds: /^problem\.ts$/ },
  ],
  [
    { name: 'crypto', holds: /^crypto\// },
    { name: 'db', holds: /^db\// },
  ],
  [{ name: 'features/*/config', holds: /^features\/[^/]+\/config\.ts$/ }],
  [{ name: 'config', holds: /^config\// }],
  [{ name: 'core', holds: /^core\// }],
  [{ name: 'capabilities', holds: /^capabilities\.ts$/ }],
  [
    { name: 'delivery', holds: /^delivery\// },
    { name: 'http', holds: /^http\// },
  ],
  [{ name: 'features', holds: /^features\// }],
  [{ name: 'app', holds: /^app\.ts$/ }],
  [{ name: 'cli', holds: /^cli\// }],
  [{ name: 'main', holds: /^main\.ts$/ }],
];

function roomOf(path: string): { layer: number; name: string } {
  const layer = LAYERS.findIndex((rooms) => rooms.some(({ holds }) => holds.test(path)));
  return { layer, name: LAYERS[layer]?.find(({ holds }) => holds.test(path))?.name ?? 'nowhere' };
}

/** Each import of one of our modules by another, as "from → to". */
const edges = modules.flatMap((from) =>
  from.imports
    .filter(({ isOurs }) => isOurs)
    .map(({ target, isType, names }) => ({ from: from.path, to: target, isType, names })),
);
const packagesOf = ({ imports }: Module) =>
  imports.filter(({ isOurs }) => !isOurs).map(({ target }) => target);
const shown = (list: readonly { from: string; to: string }[]) =>
  list.map(({ from, to }) => `${from} → ${to}`);
const importersOf = (name: RegExp) =>
  modules
    .filter((module) => packagesOf(module).some((target) => name.test(target)))
    .map(({ path }) => path);

describe('the import rule', () => {
  test('every module has its room, and every import its module', () => {
    expect(modules.filter(({ path }) => roomOf(path).layer < 0).map(({ path }) => path)).toEqual(
      [],
    );
    expect(shown(edges.filter(({ to }) => !byPath.has(to) && to !== '../package.json'))).toEqual(
      [],
    );
    expect(edges.length).toBeGreaterThan(200);
  });

  test('left never imports right', () => {
    expect(shown(edges.filter(({ from, to }) => roomOf(from).layer < roomOf(to).layer))).toEqual(
      [],
    );
  });

  test('rooms side by side don’t import each other; lib and crypto know nothing but what is under them', () => {
    const sideways = edges.filter(
      ({ from, to }) =>
        roomOf(from).layer === roomOf(to).layer && roomOf(from).name !== roomOf(to).name,
    );
    expect(shown(sideways)).toEqual([]);
    expect(
      shown(edges.filter(({ from, to }) => from.startsWith('lib/') && !to.startsWith('lib/'))),
    ).toEqual([]);
    expect(
      shown(edges.filter(({ from, to }) => from === 'problem.ts' && to !== 'problem.ts')),
    ).toEqual([]);
  });

  test('a slice’s section of the configuration imports lib alone', () => {
    expect(
      shown(
        edges.filter(
          ({ from, to }) => /^features\/[^/]+\/config\.ts$/.test(from) && !to.startsWith('lib/'),
        ),
      ),
    ).toEqual([]);
  });

  test('no slice imports another; only features/index.ts, the configuration and app.ts name them', () => {
    const sliceOf = (path: string) => /^features\/([^/]+)\//.exec(path)?.[1];
    expect(
      shown(
        edges.filter(
          ({ from, to }) =>
            sliceOf(from) !== undefined &&
            sliceOf(to) !== undefined &&
            sliceOf(from) !== sliceOf(to),
        ),
      ),
    ).toEqual([]);
  });

  test('the core has heard of neither HTTP nor letters nor slices', () => {
    expect(
      shown(
        edges.filter(
          ({ from, to }) => from.startsWith('core/') && /^(?:http|delivery|features)\//.test(to),
        ),
      ),
    ).toEqual([]);
    expect(
      modules
        .filter(
          (module) =>
            module.path.startsWith('core/') &&
            packagesOf(module).some((target) => /^(?:node:http|node:net|hono)/.test(target)),
        )
        .map(({ path }) => path),
    ).toEqual([]);
  });

  test('no circle, types included', () => {
    const circles: string[] = [];
    const state = new Map<string, 'open' | 'done'>();
    const visit = (path: string, trail: readonly string[]): void => {
      if (state.get(path) === 'done') return;
      if (state.get(path) === 'open') {
        circles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
        return;
      }
      state.set(path, 'open');
      for (const { isOurs, target } of byPath.get(path)?.imports ?? [])
        if (isOurs) visit(target, [...trail, path]);
      state.set(path, 'done');
    };
    for (const { path } of modules) visit(path, []);
    expect(circles).toEqual([]);
  });
});

describe('who may use what', () => {
  const outside = (name: RegExp, allowed: RegExp) =>
    importersOf(name).filter((path) => !allowed.test(path));

  test('hono: http alone', () => expect(outside(/^(?:hono|@hono)(?:\/|$)/, /^http\//)).toEqual([]));
  test('drizzle-orm: db, core, and the schema and store of a slice', () =>
    expect(
      outside(/^drizzle-orm/, /^(?:db|core)\/|^features\/[^/]+\/(?:schema|store)\.ts$/),
    ).toEqual([]));
  test('jose: crypto, and the core’s tokens', () =>
    expect(outside(/^jose/, /^crypto\/|^core\/[^/]*-token\.ts$/)).toEqual([]));
  test('libsql: db alone', () => expect(outside(/^(?:libsql|@libsql)/, /^db\//)).toEqual([]));
  test('argon2: crypto alone', () => expect(outside(/argon2/, /^crypto\//)).toEqual([]));
  // delivery/eml-folder.ts is a transport as SMTP is one: it makes files where others make
  // connections, in the folder that it is handed.
  test('the file system: cli, db, config, main, the listener’s sockets, and the transport that writes files', () =>
    expect(
      outside(
        /^node:fs/,
        /^(?:cli|db|config|lib)\/|^main\.ts$|^http\/listen\.ts$|^delivery\/eml-folder\.ts$/,
      ),
    ).toEqual([]));
  test('commander and pino: cli alone', () =>
    expect(outside(/^(?:commander|pino)/, /^cli\//)).toEqual([]));

  test('signing: the core alone, and starting a session: the way in alone', () => {
    const using = (name: string) =>
      edges.filter(({ names }) => names.includes(name)).map(({ from }) => from);
    expect(
      using('signJws').filter(
        (path) => !/^core\/(?:access|internal|refresh|challenge)-token\.ts$/.test(path),
      ),
    ).toEqual([]);
    expect(using('createSigner').filter((path) => !/^(?:core|crypto)\//.test(path))).toEqual([]);
    for (const name of [
      'startSession',
      'mintRefreshToken',
      'mintChallengeToken',
      'mintDeviceToken',
      'renewSession',
      'rotateSession',
      'signInternal',
    ])
      expect([name, using(name).filter((path) => !path.startsWith('core/'))]).toEqual([name, []]);
    expect(using('startSession')).toEqual(['core/authentication.ts']);
    const minting = modules
      .filter(
        ({ path, code }) => /\baccessTokens\s*\.\s*mint\b/.test(code) && !path.startsWith('core/'),
      )
      .map(({ path }) => path);
    expect(minting).toEqual([]);
  });

  const EDGE = /^(?:main\.ts|cli\/.*|lib\/clock\.ts|crypto\/hash-lane\.mjs)$/;
  test.each([
    ['process', /(?<![.\w$'"-])process\b(?!\s*:)/],
    ['Date.now', /\bDate\s*\.\s*now\b/],
    ['the time of day', /\bnew\s+Date\s*\(\s*\)/],
    ['performance.now', /\bperformance\s*\.\s*now\b/],
    ['console', /\bconsole\s*\./],
  ])('%s: the edge of the process alone', (_, what) => {
    expect(
      modules
        .filter(({ path, code }) => !EDGE.test(path) && what.test(code))
        .map(({ path }) => path),
    ).toEqual([]);
  });

  test('ASVS 1.3.2: eval and its kin: nobody; Math.random: the jitter of retries, which guards nothing', () => {
    expect(
      modules
        .filter(({ code }) => /\beval\s*\(|\bnew\s+Function\b/.test(code))
        .map(({ path }) => path),
    ).toEqual([]);
    expect(
      modules
        .filter(({ code }) => /\bMath\s*\.\s*random\b/.test(code))
        .map(({ path }) => path)
        .filter((path) => !/^db\/(?:local|remote)\.ts$/.test(path)),
    ).toEqual([]);
  });
});

describe('smells', () => {
  /** Casts that stay, each with its reason. */
  const CASTS: Readonly<Record<string, string>> = {
    'http/route.ts':
      'the server hands each handler a call that went through that route’s own schema',
    'db/local.ts': 'a list of statements becomes the tuple of their results',
    'db/remote.ts': 'a list of statements becomes the tuple of their results',
    'db/prepare.ts': 'a row is what its own statement says it is',
    'cli/logger.ts': 'pino’s own line, read back for people',
  };

  test('no file is longer than 300 lines', () =>
    expect(
      modules.filter(({ lines }) => lines > 300).map(({ path, lines }) => `${path}: ${lines}`),
    ).toEqual([]));

  test('no any', () =>
    expect(
      modules
        .filter(({ code }) => /[:<|&,(]\s*any\b|\bas\s+any\b/.test(code))
        .map(({ path }) => path),
    ).toEqual([]));

  test('no cast outside the list, and none in the list without one', () => {
    const found = new Map<string, number>();
    for (const { path, code } of modules) {
      // Renaming in imports and exports, and `as const`, are no casts.
      const body = code.replace(/^\s*(?:import|export)\s+(?:type\s+)?[{*][^;]*;/gm, '');
      const casts =
        [...body.matchAll(/\bas\s+(?!const\b)[A-Za-z_{([]/g)].length +
        [...body.matchAll(/=\s*<[A-Z]\w*>\s*[\w(]/g)].length;
      if (casts > 0) found.set(path, casts);
    }
    expect([...found.keys()].filter((path) => CASTS[path] === undefined)).toEqual([]);
    expect(Object.keys(CASTS).filter((path) => !found.has(path))).toEqual([]);
    expect([...found].filter(([, casts]) => casts > 2)).toEqual([]);
  });

  test('no silenced compiler', () =>
    expect(
      modules
        .filter(({ text }) => /@ts-(?:ignore|nocheck|expect-error)/.test(text))
        .map(({ path }) => path),
    ).toEqual([]));

  test('no folder or file is named after nothing', () => {
    expect(
      modules
        .filter(({ path }) =>
          /(?:^|\/)(?:utils?|helpers?|services?|managers?|types|common|misc)(?:\.ts|\/)/.test(path),
        )
        .map(({ path }) => path),
    ).toEqual([]);
  });

  test('every module says in its first lines what it is for', () =>
    expect(
      modules.filter(({ text }) => !/^(?:#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path),
    ).toEqual([]));
});

describe('the reader of the source itself', () => {
  test('sees imports and types, and nothing in comments and literals', () => {
    const { imports, code } = readModule(
      'core/a.ts',
      "import { a as b } from '../lib/x.ts';\nimport type { C } from './c.ts';\nexport { d } from 'pkg';\n// process\nconst s = 'process'; const r = /as any/; const t = `x ${process.argv} ${`as ${y as Z}`}`;\n",
    );
    expect(
      imports.map(({ target, isType, isOurs, names }) => [target, isType, isOurs, names]),
    ).toEqual([
      ['lib/x.ts', false, true, ['a']],
      ['core/c.ts', true, true, ['C']],
      ['pkg', false, false, ['d']],
    ]);
    expect(code.match(/process/g)?.length).toBe(1);
    expect(code.match(/\bas\s+Z/g)?.length).toBe(1);
    expect(code).not.toMatch(/as any/);
  });

  test('tells a division from a regular expression', () => {
    expect(blank('a / b / process')).toContain('process');
    expect(blank('x = /[/]process/.test(y)')).not.toContain('process');
    expect(blank('return /process/;')).not.toContain('process');
  });
});
