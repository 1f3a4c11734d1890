import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  codePointCount,
  hasControlCharacters,
  hasLineBreak,
  isWellFormed,
} from '../../src/lib/text.ts';

describe('text', () => {
  test.each(['\ud800', 'a\udc00', '\udc00\ud800', 'x\ud83d'])(
    'G1, T4: %j is not well-formed',
    (text) => expect(isWellFormed(text)).toBe(false),
  );
  test('G1: pairs of surrogates are well-formed', () => expect(isWellFormed('😀é')).toBe(true));

  test('G1, T3: every C0 and C1 control, NUL and DEL is found; nothing else of the first 384 is', () => {
    for (let code = 0; code < 0x180; code += 1) {
      const isControl = code < 0x20 || (code >= 0x7f && code <= 0x9f);
      expect(hasControlCharacters(`a${String.fromCharCode(code)}b`)).toBe(isControl);
    }
  });

  test.each(['\r', '\n', '\u0085', '\u2028', '\u2029', '\0'])(
    'H10: %j could break a line',
    (char) => expect(hasLineBreak(`a${char}b`)).toBe(true),
  );
  test('H10: a non-breaking space breaks none', () => expect(hasLineBreak('a\u00a0b')).toBe(false));

  test('N1: code points are counted as iteration counts them, lone surrogates included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(codePointCount(text)).toBe([...text].length);
      }),
    );
    expect(codePointCount('\ud83d\ud83d\ude00\ude00')).toBe(3);
    expect(codePointCount('')).toBe(0);
  });
});
