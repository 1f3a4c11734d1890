import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  constantTimeEqual,
  hashSecret,
  randomToken,
  createSystemRandom,
} from '../../src/crypto/secret.ts';

const systemRandom = createSystemRandom();

describe('secrets', () => {
  test('ASVS 11.5.2: 10^6 draws of 128 bits have no duplicate', () => {
    const seen = new Set<string>();
    for (let n = 0; n < 1_000_000; n += 1) seen.add(systemRandom.bytes(16).toString('latin1'));
    expect(seen.size).toBe(1_000_000);
  });

  test('draws have the length asked for, across the pool and beyond it', () => {
    for (const length of [0, 1, 12, 16, 31, 64, 65, 4_096, 10_000])
      expect(systemRandom.bytes(length)).toHaveLength(length);
  });

  test('a draw belongs to its caller: no other draw is seen through its buffer', () => {
    const drawn = systemRandom.bytes(16);
    expect(drawn.buffer.byteLength).toBe(16);
  });

  test('ASVS 11.5.1: a token has 256 bits unless asked otherwise, and never fewer than 128', () => {
    expect(randomToken(systemRandom)).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(randomToken(systemRandom, 16)).toHaveLength(22);
    expect(() => randomToken(systemRandom, 15)).toThrow(RangeError);
  });

  test('FIPS 180-2 B.1: the digest of "abc", in base64url', () => {
    expect(hashSecret('abc')).toBe(
      Buffer.from(
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
        'hex',
      ).toString('base64url'),
    );
  });

  test('T10: texts of unequal length are unequal, without an exception; equal ones are equal', () => {
    expect(constantTimeEqual('a', 'aa')).toBe(false);
    expect(constantTimeEqual('', '')).toBe(true);
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(constantTimeEqual(a, b)).toBe(a === b);
      }),
    );
  });

  test('T4: lone surrogates do not make different secrets equal', () => {
    expect(constantTimeEqual('\ud800', '\ud801')).toBe(false);
    expect(constantTimeEqual('\ud800', '\ufffd')).toBe(false);
  });
});
