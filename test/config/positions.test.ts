/** Line and column of every key of a TOML text, whatever stands around it. */
import fc from 'fast-check';
import { parse, stringify } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { findPositions } from '../../src/config/positions.ts';

const at = (toml: string, path: string): string => {
  const found = findPositions(toml).get(path);
  return found === undefined
    ? 'none'
    : `${found.key.line}:${found.key.column} ${found.value.line}:${found.value.column}`;
};

describe('positions', () => {
  it.each([
    ['plain', '[a]\nb = 1', '2:1 2:5'],
    ['indented, after a comment', '# b = 1\n\n[a] # [b]\n  b   =   1', '4:3 4:11'],
    ['CRLF', '[a]\r\nb = 1\r\n', '2:1 2:5'],
    ['dotted', 'a.b = 1', '1:1 1:7'],
    ['dotted with spaces and quotes', '"a" . \'b\' = 1', '1:1 1:13'],
    ['inline table', 'a = { x = 1, b = 2 }', '1:14 1:18'],
    [
      'behind a text of many lines that looks like it',
      '[x]\ny = """\n[a]\nb = 1\n\\""""\n[a]\nb = 2',
      '7:1 7:5',
    ],
    ['behind a literal text of many lines', "[x]\ny = '''\n[a]\nb = 1'''\n[a]\nb = 2", '6:1 6:5'],
    ['behind a text that ends in five quotes', '[x]\ny = """a"""""\n[a]\nb = 2', '4:1 4:5'],
    [
      'behind a list over lines with brackets in texts',
      '[x]\ny = [\n "]", # ]\n [1, 2],\n]\n[a]\nb = 2',
      '7:1 7:5',
    ],
    ['behind a list of tables', '[[x]]\ny = [{ b = 1 }]\n[a]\nb = 2', '4:1 4:5'],
  ])('%s', (_, toml, expected) => {
    expect(() => parse(toml)).not.toThrow();
    expect(at(toml, 'a.b')).toBe(expected);
  });

  it('finds each key of any document, where its name stands', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/);
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.array(fc.string(), { maxLength: 4 }),
      fc.array(fc.array(fc.integer()), { maxLength: 3 }),
    );
    const document = fc.dictionary(name, fc.dictionary(name, value, { maxKeys: 6 }), {
      maxKeys: 6,
    });
    fc.assert(
      fc.property(document, (sections) => {
        const toml = stringify(sections);
        const lines = toml.split('\n');
        const found = findPositions(toml);
        for (const [section, settings] of Object.entries(sections)) {
          for (const setting of Object.keys(settings)) {
            const position = found.get(`${section}.${setting}`);
            expect(
              lines[(position?.key.line ?? 0) - 1]?.slice((position?.key.column ?? 0) - 1),
            ).toMatch(new RegExp(`^${setting} = `));
          }
        }
      }),
    );
  });

  it('ends for any text, soon', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom(
            '"',
            "'",
            '[',
            ']',
            '{',
            '}',
            '=',
            '.',
            ',',
            '#',
            '\n',
            ' ',
            'a',
            '\\',
          ),
          maxLength: 200,
        }),
        (text) => {
          findPositions(text);
        },
      ),
      { numRuns: 2000 },
    );
    for (const text of [
      '['.repeat(50_000),
      '"'.repeat(50_000),
      `a = "${'\\'.repeat(50_000)}`,
      'a.'.repeat(1000),
    ])
      findPositions(text.slice(0, 50_000));
  });
});
