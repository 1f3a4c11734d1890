/** Credentials of nobody, and the strict reader of CBOR: fixed values, and properties. */
import { createSecretKey } from 'node:crypto';
import { encodeCBOR } from '@levischuck/tiny-cbor';
import type { CBORType } from '@levischuck/tiny-cbor';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCbor } from '../../src/features/passkey/cbor.ts';
import { decoysFor, isDecoy } from '../../src/features/passkey/decoy.ts';
import { NotVerified } from '../../src/features/passkey/not-verified.ts';

const key = createSecretKey(Buffer.alloc(32, 1));
const other = createSecretKey(Buffer.alloc(32, 2));

describe('credentials of nobody', () => {
  test('E04: are the same in every version: whoever asked before an upgrade sees no other after it', () => {
    expect(decoysFor(key, 'ada')).toEqual([
      { id: 'v9CEP-tRhHv3QrbdRklfrX3Kz-E', transports: ['hybrid', 'internal'] },
    ]);
    expect(decoysFor(key, 'b')).toEqual([
      {
        id: 'aOZZsEqXDQBFYr6U7IkGXq_EHi6Yuw_VPRJc7uB1EL6WxNE9ZPz720YP2oDTC4uz',
        transports: ['nfc', 'usb'],
      },
    ]);
  });

  test('E04: are known again by their key alone, and nothing else is taken for one', () => {
    for (let i = 0; i < 200; i++) {
      for (const { id } of decoysFor(key, `name-${i}`)) {
        expect([isDecoy(key, id), isDecoy(other, id)]).toEqual([true, false]);
        const altered = Buffer.from(id, 'base64url');
        altered[i % altered.length] = (altered[i % altered.length] ?? 0) ^ 1;
        expect(isDecoy(key, altered.toString('base64url'))).toBe(false);
      }
    }
    for (const id of ['', '=', 'AAAA', 'A'.repeat(22), `${decoysFor(key, 'ada')[0]?.id ?? ''}=`])
      expect(isDecoy(key, id)).toBe(false);
  });

  test('E04: one or two a name, of all the lengths', () => {
    const shown = Array.from({ length: 400 }, (_, i) => decoysFor(key, `name-${i}`));
    const pairs = shown.filter(({ length }) => length === 2).length;
    expect(pairs).toBeGreaterThan(50);
    expect(pairs).toBeLessThan(150);
    expect(new Set(shown.flat().map(({ id }) => Buffer.from(id, 'base64url').length))).toEqual(
      new Set([16, 20, 32, 48, 64]),
    );
  });
});

describe('CBOR', () => {
  const leaf = fc.oneof(
    fc.integer({ min: -(2 ** 32), max: 2 ** 32 - 1 }),
    fc.string(),
    fc.uint8Array({ maxLength: 300 }),
    fc.boolean(),
    fc.constant(null),
  );
  const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', maxDepth: 4 },
      leaf,
      fc.array(tie('node'), { maxLength: 4 }),
      fc
        .uniqueArray(
          fc.tuple(
            fc.oneof(fc.integer({ min: -100, max: 100 }), fc.constantFrom('a', 'bb')),
            tie('node'),
          ),
          { maxLength: 4, selector: ([name]) => name },
        )
        .map((entries) => new Map(entries as [number | string, unknown][])),
    ),
  })).node;

  test('what was written is read, to its last byte', () => {
    fc.assert(
      fc.property(value, (given) => {
        // tiny-cbor counts the letters of a text and not its bytes.
        fc.pre(
          !/[^\u0000-\u007f]/.test(
            JSON.stringify(given, (_, part) => (part instanceof Map ? [...part] : part)) ?? '',
          ),
        );
        const bytes = encodeCBOR(given as CBORType);
        const { value: read, end } = readCbor(bytes, 0);
        expect(end).toBe(bytes.length);
        expect(read).toEqual(given);
      }),
    );
  });

  test('any bytes at all are read or refused, never anything else, and never beyond their end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 200 }), (bytes) => {
        try {
          expect(readCbor(bytes, 0).end).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(NotVerified);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
