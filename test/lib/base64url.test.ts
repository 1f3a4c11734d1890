import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBase64url, encodeBase64url } from '../../src/lib/base64url.ts';

describe('base64url', () => {
  test.each([
    ['', ''],
    ['f', 'Zg'],
    ['fo', 'Zm8'],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg'],
    ['fooba', 'Zm9vYmE'],
    ['foobar', 'Zm9vYmFy'],
    ['\u{fb}\u{ff}', 'w7vDvw'],
  ])('RFC 4648 §10 vector %j, without padding', (plain, encoded) => {
    expect(encodeBase64url(plain)).toBe(encoded);
    expect(decodeBase64url(encoded)?.toString('utf8')).toBe(plain);
  });

  test('bytes come back as they went in', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodeBase64url(encodeBase64url(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test.each([
    'Zh',
    'Zg==',
    'Zg=',
    'Zm9',
    'Zm8 ',
    ' Zm8',
    'Zm\n8',
    'Zm+8',
    'Zm/8',
    'Z',
    'Zm9vY',
    'Zm9vÝg',
    '.',
    '\0',
  ])('T1, R2: %j is no canonical text and is refused, not repaired', (text) =>
    expect(decodeBase64url(text)).toBeUndefined(),
  );

  test('R2: no two texts decode to the same bytes', () => {
    const char = fc.constantFrom(
      ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= ',
    );
    fc.assert(
      fc.property(fc.string({ unit: char, maxLength: 12 }), (text) => {
        const bytes = decodeBase64url(text);
        if (bytes !== undefined) expect(encodeBase64url(bytes)).toBe(text);
      }),
    );
  });
});
