import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonError, parseJson } from '../../src/lib/json.ts';

const LIMITS = { maxDepth: 8 };

function refusal(text: string, maxDepth = 8): { code: string; pointer: string } {
  try {
    parseJson(text, { maxDepth });
  } catch (error) {
    if (error instanceof JsonError) return { code: error.code, pointer: error.pointer };
    throw error;
  }
  throw new Error('accepted');
}

describe('parseJson', () => {
  test('what JSON.stringify writes comes back as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        let value: unknown;
        try {
          value = parseJson(text, LIMITS);
        } catch (error) {
          // Random members may be named twice after __proto__, or hold NUL: refused by other tests'
          // rules.
          expect(error).toBeInstanceOf(JsonError);
          expect(text.includes('__proto__') || text.includes('\\u')).toBe(true);
          return;
        }
        expect(value).toEqual(JSON.parse(text));
      }),
    );
  });

  test('an arbitrary text yields a value that JSON.parse yields too, or a JsonError, never another exception', () => {
    const unit = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '\\',
      'u',
      '0',
      'd',
      '8',
      'a',
      ' ',
      '1',
      '"a":1',
      '\\u0061',
      '\ud800',
      'null',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
        let value: unknown;
        try {
          value = parseJson(text, LIMITS);
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError);
          return;
        }
        expect(value).toEqual(JSON.parse(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['{"a":1,"a":2}', '/a'],
    ['{"a":1,"\\u0061":2}', '/a'],
    ['{"a":{"b":[0,{"c":1,"d":2,"c":3}]}}', '/a/b/1/c'],
    ['{"":1,"":2}', '/'],
    ['{"a/b~":1,"a\\/b~":1}', '/a~1b~0'],
    ['{"x":[{},{"y":{},"y":[]}]}', '/x/1/y'],
    ['{"a":1,"b":2,"c":3,"b":4}', '/b'],
    ['{"\\ud83d\\ude00":1,"😀":2}', '/😀'],
  ])('J09, G3: %s names a member twice', (text, pointer) =>
    expect(refusal(text)).toEqual({ code: 'duplicate_member', pointer }),
  );

  test.each([
    '{"a":1,"A":2}',
    '{"a":{"a":{"a":1}}}',
    '[{"a":1},{"a":1}]',
    '{"a":"a","b":"a"}',
    '{"a":["a","a"],"b":1}',
    '{"a":{},"b":{},"c":"\\"b\\":1"}',
  ])('J09: %s names none twice', (text) =>
    expect(parseJson(text, LIMITS)).toEqual(JSON.parse(text)),
  );

  test.each(['{"__proto__":{"admin":true}}', '{"a":[{"__pro\\u0074o__":1}]}'])(
    'H02, T5: %s is refused and nothing is polluted',
    (text) => {
      expect(refusal(text).code).toBe('forbidden_member');
      expect(Reflect.get({}, 'admin')).toBeUndefined();
    },
  );

  test('H02: constructor and toString are plain data', () => {
    const value = parseJson('{"constructor":{"prototype":1},"toString":2}', LIMITS);
    expect(Object.keys(value as object)).toEqual(['constructor', 'toString']);
  });

  test.each([
    '"\\ud800"',
    '"\\udc00"',
    '"\\udc00\\ud800"',
    '"\\ud83d x"',
    '"\\ud83d\\u0041"',
    '{"\\uDBFF":1}',
    '"\ud800"',
    '"\\u0000"',
    '{"a\\u0000":1}',
    '"\\ud83d\\\\ude00"',
  ])('G1, T3, T4: %j is not well-formed text or has NUL', (text) =>
    expect(refusal(text).code).toBe('ill_formed'),
  );

  test.each([
    '"\\ud83d\\ude00"',
    '"\\uD83D\\uDE00"',
    '"\\\\ud800"',
    '"\\\\\\\\u0000"',
    '"\\u0001"',
    '"\\"\\\\"',
  ])('G1: %j is well-formed', (text) => expect(parseJson(text, LIMITS)).toBe(JSON.parse(text)));

  test('G3: depth counts arrays and objects, and the limit itself is allowed', () => {
    expect(parseJson('[[]]', { maxDepth: 2 })).toEqual([[]]);
    expect(parseJson('1', { maxDepth: 0 })).toBe(1);
    expect(refusal('[{"a":[]}]', 2)).toEqual({ code: 'too_deep', pointer: '/0/a' });
    expect(parseJson('[[],[],"[[[[",{}]', { maxDepth: 2 })).toEqual([[], [], '[[[[', {}]);
  });

  test.each([
    '',
    '{',
    '\ufeff{}',
    "{'a':1}",
    '{"a":1,}',
    'NaN',
    '01',
    '[1,]',
    '{"a" 1}',
    '\u00a01',
    '"\n"',
    '{}{}',
    'undefined',
  ])('H04: %j is a syntax error', (text) => expect(refusal(text).code).toBe('syntax'));

  test('the message carries nothing of the input', () => {
    expect(() => parseJson('{"hunter2', LIMITS)).toThrow(/^json: syntax$/);
  });
});
