/**
 * docs/threats.md: the one list of attacks and rules. Every id that code or tests cite stands there
 * once, every path in it exists, and no comment cites a document that the reader does not have.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

/** Our code in a folder, without this file, and without vectors that others wrote. */
function filesIn(folder: string): readonly string[] {
  return readdirSync(new URL(folder, ROOT), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:ts|mjs)$/.test(entry.name))
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(ROOT.pathname.length))
    .filter((path) => !/^test\/vectors\/|\/node_modules\/|threats\.test\.ts$/.test(path))
    .sort();
}

const page = read('docs/threats.md');
/** The first cell of each row. */
const listed = [...page.matchAll(/^\| ([A-Z]\d{1,2}) \|/gm)].map(([, id = '']) => id);

/**
 * An attack (two digits) or a rule, as a word of its own: not within a name (`S256`), a time, a placeholder or a
 * path.
 */
const ID = /(?<![\w$.:/%-])(?:[JPELORSWIHA]\d\d|[DNRGT]\d{1,2})\b(?![$/%-]\w)/g;

function citedIn(path: string): readonly string[] {
  return [...read(path).matchAll(ID)].map(([id]) => id);
}

describe('docs/threats.md', () => {
  test('every id stands once', () => {
    expect(listed.filter((id, at) => listed.indexOf(id) !== at)).toEqual([]);
    for (const [letter, count] of [
      ['J', 16],
      ['P', 8],
      ['E', 7],
      ['L', 12],
      ['O', 11],
      ['S', 8],
      ['W', 9],
      ['I', 7],
      ['H', 18],
      ['A', 17],
      ['N', 9],
      ['G', 13],
      ['T', 18],
    ] as const)
      expect([letter, listed.filter((id) => id.startsWith(letter)).length]).toEqual([
        letter,
        count,
      ]);
    expect(listed.filter((id) => /^R0/.test(id))).toHaveLength(9);
    expect(listed.filter((id) => /^R[1-9]/.test(id))).toHaveLength(12);
    expect(listed.filter((id) => /^D0/.test(id))).toHaveLength(7);
    expect(listed.filter((id) => /^D[1-9]/.test(id))).toHaveLength(8);
  });

  test('every path in it exists', () => {
    const paths = [...page.matchAll(/`((?:src|test|docs|bench|scripts)\/[^`\s]*)`/g)].map(
      ([, path = '']) => path,
    );
    expect(paths.length).toBeGreaterThan(100);
    expect([...new Set(paths)].filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
  });

  test.each(['src', 'test'])('every id that %s/ cites stands in it', (folder) => {
    const unknown = filesIn(folder).flatMap((path) =>
      citedIn(path)
        .filter((id) => !listed.includes(id))
        .map((id) => `${path}: ${id}`),
    );
    expect(unknown).toEqual([]);
    const cited = new Set(filesIn(folder).flatMap(citedIn));
    expect(cited.size).toBeGreaterThan(40);
  });

  test('every ASVS id that code or tests cite has its line in test/asvs.json', () => {
    const met = JSON.parse(read('test/asvs.json')) as Record<string, unknown>;
    // Met in part, or only where an option is on, so that no line claims them.
    const inPart = ['3.3.1', '13.2.4', '16.5.4'];
    const cited = [...filesIn('src'), ...filesIn('test')].flatMap((path) =>
      [...read(path).matchAll(/ASVS ((?:\d{1,2}\.\d{1,2}\.\d{1,2}(?:, )?)+)/g)].flatMap(
        ([, ids = '']) => (ids.match(/\d+\.\d+\.\d+/g) ?? []).map((id) => ({ path, id })),
      ),
    );
    expect(cited.length).toBeGreaterThan(50);
    expect(cited.filter(({ id }) => !(id in met) && !inPart.includes(id))).toEqual([]);
  });

  test('no file of src cites a document that is not in this repository', () => {
    const ELSEWHERE =
      /\b(?:security|attacks|api|architecture|performance|packaging|experience)\.md\b|\.\.\/shared\b/;
    // docs/… and SECURITY.md are here.
    expect(
      filesIn('src').flatMap((path) =>
        read(path)
          .split('\n')
          .filter((line) => ELSEWHERE.test(line))
          .map((line) => `${path}: ${line.trim()}`),
      ),
    ).toEqual([]);
  });
});
