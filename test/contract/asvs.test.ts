/**
 * test/asvs.json: which requirement of OWASP ASVS 5.0 is met by which test, or by which section of
 * the documentation.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const met = JSON.parse(readFileSync(new URL('test/asvs.json', ROOT), 'utf8')) as Readonly<
  Record<string, readonly string[]>
>;

/**
 * The requirements that apply to a headless authentication service, by chapter and section: 210 of
 * 345.
 */
const APPLICABLE: Readonly<Record<number, Readonly<Record<number, readonly number[]>>>> = {
  1: { 1: [1], 2: [1, 2, 3, 4], 3: [2, 3, 6, 7, 11, 12], 5: [2, 3] },
  2: { 1: [1, 2, 3], 2: [1, 2, 3], 3: [1, 2, 3, 4], 4: [1] },
  3: { 2: [1], 4: [1, 2, 3, 4, 5, 6], 5: [2, 3, 6, 8] },
  4: { 1: [1, 2, 3, 4], 2: [1, 5] },
  6: {
    1: [1, 2, 3],
    2: [1, 2, 3, 4, 5, 8, 9, 10, 11, 12],
    3: [1, 2, 3, 4, 5, 6, 7, 8],
    4: [1, 2, 3, 4, 6],
    5: [1, 2, 3, 4, 5, 6, 8],
    6: [1, 2, 3],
    7: [2],
    8: [1, 2, 4],
  },
  7: { 1: [1, 2, 3], 2: [1, 2, 3, 4], 3: [1, 2], 4: [1, 2, 3, 5], 5: [1, 2, 3], 6: [1, 2] },
  8: { 1: [1], 2: [1, 2, 3], 3: [1, 2] },
  9: { 1: [1, 2, 3], 2: [1, 2, 3, 4] },
  10: { 1: [1, 2], 2: [1, 2, 3], 3: [1, 3, 4], 4: [4, 5, 8, 9, 10], 5: [1, 2, 3, 4] },
  11: { 1: [1, 2, 3, 4], 2: [1, 2, 3, 4, 5], 3: [1, 2, 3, 4], 4: [1, 2, 3], 5: [1, 2], 6: [1] },
  12: { 3: [1, 2] },
  13: { 1: [1, 2, 3, 4], 2: [1, 2, 3, 4, 5, 6], 3: [1, 2, 4], 4: [1, 2, 3, 4, 5, 6] },
  14: { 1: [1, 2], 2: [1, 2, 4, 6, 7], 3: [2] },
  15: { 1: [1, 2, 3], 2: [1, 2, 3, 4], 3: [1, 2, 3, 4, 5, 6, 7], 4: [2, 3, 4] },
  16: { 1: [1], 2: [1, 2, 3, 4, 5], 3: [1, 2, 3, 4], 4: [1, 2], 5: [1, 2, 3, 4] },
};
const applicable = Object.entries(APPLICABLE).flatMap(([chapter, sections]) =>
  Object.entries(sections).flatMap(([section, numbers]) =>
    numbers.map((number) => `${chapter}.${section}.${number}`),
  ),
);

/** Titles of tests and groups as they stand in a file, or the headings of a page. */
function titlesIn(path: string): readonly string[] {
  const text = readFileSync(new URL(path, ROOT), 'utf8');
  if (path.endsWith('.md'))
    return [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) => title.trim());
  // Of what stands before a quoted text on its line, only a call of test or describe, or the end of
  // a table for one, makes it a title.
  return [
    ...text.matchAll(
      /(?:\b(?:test|describe)|\))(?:\.concurrent)?\(\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g,
    ),
  ].map(([, single, double, template]) =>
    (single ?? double ?? template ?? '').replace(/\\(['"`\\])/g, '$1'),
  );
}

describe('test/asvs.json', () => {
  test('has no line but those that apply, in order, each once and each with its proof', () => {
    expect(applicable).toHaveLength(210);
    expect(new Set(applicable).size).toBe(210);
    const ids = Object.keys(met);
    expect(ids.filter((id) => !applicable.includes(id))).toEqual([]);
    expect(ids).toEqual(applicable.filter((id) => ids.includes(id)));
    for (const [id, proofs] of Object.entries(met))
      expect([id, proofs.length > 0]).toEqual([id, true]);
  });

  test.each(Object.entries(met))('%s is met where it says', (_, proofs) => {
    for (const proof of proofs) {
      const [, path = '', title = ''] = /^(\S+?): (.+)$/.exec(proof) ?? [];
      expect([proof, existsSync(new URL(path, ROOT))]).toEqual([proof, true]);
      // A title with a placeholder is named by what stands around it.
      expect([
        proof,
        titlesIn(path).some(
          (known) =>
            known === title || (known.includes('${') && title.length > 20 && known.includes(title)),
        ),
      ]).toEqual([proof, true]);
    }
  });

  test('no proof is skipped or left for later', () => {
    const files = new Set(
      Object.values(met).flatMap((proofs) =>
        proofs.map((proof) => proof.slice(0, proof.indexOf(': '))),
      ),
    );
    for (const path of files) {
      if (path.endsWith('.ts'))
        expect([
          path,
          /\b(?:test|describe)\.(?:skip|todo|only|fails)\b/.exec(
            readFileSync(new URL(path, ROOT), 'utf8'),
          )?.[0],
        ]).toEqual([path, undefined]);
    }
  });

  test('how many there are', () => {
    console.log(
      `ASVS 5.0: ${Object.keys(met).length} of ${applicable.length} applicable requirements are met`,
    );
  });
});
