/** The source as modules: what each imports by name, and its syntax tree, read by swc. */
import { readFileSync, readdirSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from '@swc/core';

const root = fileURLToPath(new URL('../../src/', import.meta.url));

export interface Import {
  /** A module of ours from src/ on, or a package's name as it stands. */
  readonly target: string;
  readonly isOurs: boolean;
  readonly isType: boolean;
  readonly names: readonly string[];
}

/** A node of the syntax tree: its type, and members that depend on it. */
export interface Node {
  readonly type: string;
  readonly [member: string]: unknown;
}

export interface Module {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** The statements at the top. */
  readonly body: readonly Node[];
  /** Every node, in the order of the text. */
  readonly nodes: readonly Node[];
  readonly imports: readonly Import[];
}

export function readModules(): Module[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.(ts|mjs|js)$/.test(path))
    .sort()
    .map((path) => readModule(path, readFileSync(root + path, 'utf8')));
}

export function readModule(path: string, text: string): Module {
  const tree: unknown = parseSync(text, { syntax: 'typescript', target: 'es2022' });
  const nodes = [...within(tree)];
  return {
    path,
    text,
    lines: text.replace(/\n$/, '').split('\n'),
    body: isNode(tree) ? children(tree, 'body') : [],
    nodes,
    imports: nodes.flatMap((node) => importOf(path, node)),
  };
}

export function isNode(value: unknown): value is Node {
  return (
    typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
  );
}

/** A node and all under it. */
function* within(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const each of value) yield* within(each);
  else if (typeof value === 'object' && value !== null) {
    if (isNode(value)) yield value;
    for (const member of Object.values(value)) yield* within(member);
  }
}

/** The nodes in a member that is a list. */
export function children(node: Node, member: string): readonly Node[] {
  const list = node[member];
  return Array.isArray(list) ? list.filter(isNode) : [];
}

/** A name that is read, called or bound: not the member of something, nor a key. */
export function isName(node: unknown, name: string): boolean {
  // swc gives the names of members and keys neither `optional` nor a scope.
  return isNode(node) && node.type === 'Identifier' && node['value'] === name && 'optional' in node;
}

/** `object.member`, however it is then used. */
export function isMember(node: unknown, object: string, member: string): boolean {
  return (
    isNode(node) &&
    node.type === 'MemberExpression' &&
    isName(node['object'], object) &&
    nameOf(node['property']) === member
  );
}

/** What an identifier says; of anything else, nothing. */
export function nameOf(node: unknown): string | undefined {
  return isNode(node) && node.type === 'Identifier' ? String(node['value']) : undefined;
}

const IMPORTING = [
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'TsImportType',
];

function importOf(path: string, node: Node): Import[] {
  const source = IMPORTING.includes(node.type)
    ? (node['source'] ?? node['argument'])
    : importedByCall(node);
  if (!isNode(source) || typeof source['value'] !== 'string') return [];
  const isOurs = source['value'].startsWith('.');
  const names = children(node, 'specifiers').flatMap((specifier) => {
    const name = nameOf(specifier['imported'] ?? specifier['orig'] ?? specifier['local']);
    return name === undefined ? [] : [name];
  });
  const target = isOurs
    ? posix.normalize(posix.join(posix.dirname(path), source['value']))
    : source['value'];
  return [{ target, isOurs, isType: node['typeOnly'] === true, names }];
}

function importedByCall(node: Node): unknown {
  if (node.type !== 'CallExpression' || !isNode(node['callee'])) return undefined;
  if (node['callee'].type !== 'Import' || !Array.isArray(node['arguments'])) return undefined;
  return node['arguments'][0]?.expression;
}
