/**
 * What dependency-cruiser cannot see, for it reads modules and not names: who may import which
 * function, who may ask the process and the clock, and the smells that stop a review. The layers
 * themselves are in .dependency-cruiser.mjs, which layers.test.ts tries.
 */
import { describe, expect, test } from 'vitest';
import { children, isMember, isName, isNode, nameOf, readModule, readModules } from './source.ts';
import type { Module, Node } from './source.ts';

const modules = readModules();

/** The modules with a node of which this is so. */
const having = (what: (node: Node) => boolean, among: readonly Module[] = modules): string[] =>
  among.filter(({ nodes }) => nodes.some(what)).map(({ path }) => path);

describe('who may use what', () => {
  const using = (name: string) =>
    modules
      .filter(({ imports }) => imports.some(({ names }) => names.includes(name)))
      .map(({ path }) => path);

  test('signing: the tokens of core alone', () => {
    expect(using('signJws').filter((path) => !path.startsWith('core/token/'))).toEqual([]);
    expect(using('createSigner').filter((path) => !/^(?:core|crypto)\//.test(path))).toEqual([]);
  });

  test.each(['startSession', 'mintRefreshToken', 'renewSession', 'rotateSession'])(
    '%s: core alone',
    (name) => {
      expect(using(name)).not.toEqual([]);
      expect(using(name).filter((path) => !path.startsWith('core/'))).toEqual([]);
    },
  );

  test('signInternal: core, and the challenges of passkeys', () =>
    expect(using('signInternal').filter((path) => !path.startsWith('core/token/'))).toEqual([
      'features/passkey/challenge-token.ts',
    ]));

  test.each(['createIssue', 'createChallengeTokens', 'createDeviceTokens'])(
    '%s: the builder of the kernel alone',
    (name) => expect(using(name)).toEqual(['app/kernel.ts']),
  );

  test('a session is started in one place: sessions.start, called by completeFactor alone', () => {
    expect(using('startSession')).toEqual(['core/session/sessions.ts']);
    const starts = (node: Node): boolean =>
      node.type === 'MemberExpression' &&
      nameOf(node['property']) === 'start' &&
      isNode(node['object']) &&
      (nameOf(node['object']) ?? nameOf(node['object']['property'])) === 'sessions';
    expect(having(starts)).toEqual(['core/factor/authentication.ts']);
  });

  test('access tokens are minted by core alone', () => {
    const mints = (node: Node): boolean =>
      node.type === 'MemberExpression' &&
      nameOf(node['property']) === 'mint' &&
      isNode(node['object']) &&
      /^accessTokens$/.test(nameOf(node['object']) ?? nameOf(node['object']['property']) ?? '');
    expect(having(mints).filter((path) => !path.startsWith('core/'))).toEqual([]);
  });

  const EDGE = /^(?:main\.ts|cli\/.*|lib\/clock\.ts|crypto\/hash-lane\.mjs)$/;
  test.each<[string, (node: Node) => boolean]>([
    ['process', (node) => isName(node, 'process')],
    ['console', (node) => isName(node, 'console')],
    ['Date.now', (node) => isMember(node, 'Date', 'now')],
    ['performance.now', (node) => isMember(node, 'performance', 'now')],
    [
      'the time of day',
      (node) =>
        node.type === 'NewExpression' &&
        isName(node['callee'], 'Date') &&
        (!Array.isArray(node['arguments']) || node['arguments'].length === 0),
    ],
  ])('%s: the edge of the process alone', (_, what) =>
    expect(having(what).filter((path) => !EDGE.test(path))).toEqual([]),
  );

  test('ASVS 1.3.2: no code evaluates text as code', () =>
    expect(having((node) => isName(node, 'eval') || isName(node, 'Function'))).toEqual([]));

  test('Math.random: the jitter of retries alone, which guards nothing', () =>
    expect(
      having((node) => isMember(node, 'Math', 'random')).filter(
        (path) => !/^db\/(?:local|remote)\.ts$/.test(path),
      ),
    ).toEqual([]));
});

describe('smells', () => {
  /** Casts that stay, each with its reason. */
  const CASTS: Readonly<Record<string, string>> = {
    'http/route.ts':
      'the server hands each handler a call that went through that route’s own schema',
    'db/local.ts': 'a list of statements becomes the tuple of their results',
    'db/remote.ts': 'a list of statements becomes the tuple of their results',
    'db/prepare.ts': 'a row is what its own statement says it is',
    'core/commit.ts': 'rows are what their own statement yielded',
    'http/problems.ts': 'the keys of the list of refusals',
  };
  const isCast = ({ type }: Node) => type === 'TsAsExpression' || type === 'TsTypeAssertion';

  test('no any', () =>
    expect(having(({ type, kind }) => type === 'TsKeywordType' && kind === 'any')).toEqual([]));

  test('no `as unknown as`', () =>
    expect(
      having((node) => isCast(node) && isNode(node['expression']) && isCast(node['expression'])),
    ).toEqual([]));

  test('no cast outside the list, none in the list without one, and at most two in a module', () => {
    const found = having(isCast);
    expect(found.filter((path) => CASTS[path] === undefined)).toEqual([]);
    expect(Object.keys(CASTS).filter((path) => !found.includes(path))).toEqual([]);
    expect(
      modules.filter(({ nodes }) => nodes.filter(isCast).length > 2).map(({ path }) => path),
    ).toEqual([]);
  });

  test('no silenced compiler', () =>
    expect(
      modules
        .filter(({ text }) => /@ts-(?:ignore|nocheck|expect-error)/.test(text))
        .map(({ path }) => path),
    ).toEqual([]));

  test('no exported function takes a boolean', () =>
    expect(modules.flatMap((module) => booleanParameters(module))).toEqual([]));

  test('no mutable state of a module: two services may run in one process', () =>
    expect(modules.flatMap((module) => moduleState(module))).toEqual([]));

  test('every module says in its first lines what it is for', () =>
    expect(
      modules.filter(({ text }) => !/^(?:#!.*\n)?\/\*\*/.test(text)).map(({ path }) => path),
    ).toEqual([]));
});

describe('one way to do a thing', () => {
  const calls = (node: Node, callee: (callee: unknown) => boolean): boolean =>
    node.type === 'CallExpression' && callee(node['callee']);
  const features = modules.filter(({ path }) => path.startsWith('features/'));

  test('no feature asks whether an error is NothingChanged: a guard carries its refusal', () =>
    expect(
      having(
        (node) =>
          node.type === 'BinaryExpression' &&
          node['operator'] === 'instanceof' &&
          isName(node['right'], 'NothingChanged'),
        features,
      ),
    ).toEqual([]));

  test('no feature writes but through commit', () => {
    const writes = (callee: unknown): boolean =>
      isNode(callee) &&
      callee.type === 'MemberExpression' &&
      nameOf(callee['property']) === 'write' &&
      isNode(callee['object']) &&
      (nameOf(callee['object']) ?? nameOf(callee['object']['property'])) === 'db';
    expect(having((node) => calls(node, writes), features)).toEqual([]);
  });

  test('at most ten SQL texts are written by hand', () => {
    const raw = modules.flatMap(({ path, nodes }) =>
      nodes.filter((node) => calls(node, (callee) => isName(callee, 'raw'))).map(() => path),
    );
    expect(raw.length, raw.join(', ')).toBeLessThanOrEqual(10);
  });
});

/** Exported functions, and methods of exported classes, with the name of a parameter that is a boolean. */
function booleanParameters({ path, body }: Module): string[] {
  const functions: [name: string, taker: unknown][] = [];
  for (const statement of body) {
    const declaration = statement['declaration'];
    if (statement.type !== 'ExportDeclaration' || !isNode(declaration)) continue;
    const name = nameOf(declaration['identifier']) ?? '';
    functions.push([name, declaration]);
    for (const { id, init } of children(declaration, 'declarations'))
      functions.push([nameOf(id) ?? '', init]);
    if (declaration.type === 'ClassDeclaration')
      for (const member of children(declaration, 'body'))
        functions.push([
          `${name}.${nameOf(member['key']) ?? 'constructor'}`,
          // swc's node of a method holds its parameters in a member without a type.
          { type: 'Function', ...asObject(member['function'] ?? member) },
        ]);
  }
  return functions.flatMap(([name, taker]) =>
    isNode(taker)
      ? children(taker, 'params')
          .filter(isBoolean)
          .map(() => `${path}: ${name}`)
      : [],
  );
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

function isBoolean(parameter: Node): boolean {
  const pattern = isNode(parameter['pat']) ? parameter['pat'] : parameter;
  if (pattern.type === 'AssignmentPattern')
    return (
      (isNode(pattern['right']) && pattern['right'].type === 'BooleanLiteral') ||
      (isNode(pattern['left']) && isBoolean(pattern['left']))
    );
  const annotation = pattern['typeAnnotation'];
  const type = isNode(annotation) ? annotation['typeAnnotation'] : undefined;
  if (!isNode(type)) return false;
  const types = type.type === 'TsUnionType' ? children(type, 'types') : [type];
  return types.some((one) => one.type === 'TsKeywordType' && one['kind'] === 'boolean');
}

/** Variables, and collections that aren't declared as readonly, at the top of a module. */
function moduleState({ path, body }: Module): string[] {
  return body.flatMap((statement) => {
    const declaration =
      statement.type === 'ExportDeclaration' ? statement['declaration'] : statement;
    if (!isNode(declaration) || declaration.type !== 'VariableDeclaration') return [];
    return children(declaration, 'declarations')
      .filter(({ id, init }) => declaration['kind'] !== 'const' || isCollection(id, init))
      .map(({ id }) => `${path} ${nameOf(id)}`);
  });
}

const COLLECTION = /^(?:Map|Set|WeakMap|WeakSet|LRUCache)$/;

function isCollection(id: unknown, init: unknown): boolean {
  if (!isNode(init) || init.type !== 'NewExpression' || !isNode(id)) return false;
  if (!COLLECTION.test(nameOf(init['callee']) ?? '')) return false;
  const annotation = isNode(id['typeAnnotation']) ? id['typeAnnotation']['typeAnnotation'] : null;
  return !(isNode(annotation) && /^Readonly/.test(nameOf(annotation['typeName']) ?? ''));
}

describe('the reader of the source itself', () => {
  test('sees imports, exports and types, and nothing in comments and literals', () => {
    const { imports, nodes } = readModule(
      'core/a.ts',
      "import { a as b } from '../lib/x.ts';\nimport type { C } from './c.ts';\nexport { d } from 'pkg';\n// process\nconst s = 'process'; const r = /process/; const t = `${process.argv}`; x.process; ({ process: 1 });\n",
    );
    expect(imports).toEqual([
      { target: 'lib/x.ts', isOurs: true, isType: false, names: ['a'] },
      { target: 'core/c.ts', isOurs: true, isType: true, names: ['C'] },
      { target: 'pkg', isOurs: false, isType: false, names: ['d'] },
    ]);
    expect(nodes.filter((node) => isName(node, 'process')).length).toBe(1);
  });

  test('sees booleans among parameters, and state of a module', () => {
    const module = readModule(
      'core/a.ts',
      `export function f(a: boolean) {} export const g = (a?: boolean, b = false) => a ?? b;
       export class K { m(a: boolean | undefined) {} constructor(a: boolean) {} } function h(a: boolean) {}
       let l = 1; export const m = new Map(); const fixed: ReadonlySet<number> = new Set([l]);`,
    );
    expect(booleanParameters(module)).toEqual([
      'core/a.ts: f',
      'core/a.ts: g',
      'core/a.ts: g',
      'core/a.ts: K.m',
      'core/a.ts: K.constructor',
    ]);
    expect(moduleState(module)).toEqual(['core/a.ts l', 'core/a.ts m']);
  });
});
