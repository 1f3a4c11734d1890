/** O07: codes are uniform, and none is left out for beginning with a zero. */
import { describe, expect, test } from 'vitest';
import { newCode, typedCode } from '../../src/core/one-time/code.ts';
import { createSystemRandom } from '../../src/crypto/secret.ts';

const systemRandom = createSystemRandom();

const CODES = 100_000;

/** The 0.999 quantile of χ², by Wilson and Hilferty. */
function quantile(degrees: number): number {
  const term = 2 / (9 * degrees);
  return degrees * (1 - term + 3.0902 * Math.sqrt(term)) ** 3;
}

function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

function count(counts: number[], at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}

/** Something fair fails once in a thousand; twice in a row, once in a million. */
function isUniform(counts: () => readonly number[]): boolean {
  return [counts, counts].some((draw) => {
    const drawn = draw();
    return chiSquare(drawn) < quantile(drawn.length - 1);
  });
}

describe('O07: 100,000 codes', () => {
  test('ASVS 6.5.4: six digits each, uniform by place and by thousand, leading zeros among them', () => {
    const draw = (): string[] => Array.from({ length: CODES }, () => newCode(systemRandom));
    const codes = draw();
    expect(codes.every((code) => /^[0-9]{6}$/.test(code))).toBe(true);
    const zeros = codes.filter((code) => code.startsWith('0')).length;
    expect(zeros).toBeGreaterThan(9_400);
    expect(zeros).toBeLessThan(10_600);
    expect(codes.some((code) => code.startsWith('000'))).toBe(true);
    for (let place = 0; place < 6; place++) {
      expect(
        isUniform(() =>
          draw().reduce<number[]>(
            (counts, code) =>
              counts.with(Number(code[place]), (counts[Number(code[place])] ?? 0) + 1),
            Array<number>(10).fill(0),
          ),
        ),
      ).toBe(true);
    }
    expect(
      isUniform(() => {
        const counts = Array<number>(1_000).fill(0);
        for (const code of draw()) count(counts, Number(code.slice(0, 3)));
        return counts;
      }),
    ).toBe(true);
    // Pairs that follow one another: no pattern by time.
    expect(
      isUniform(() => {
        const counts = Array<number>(100).fill(0);
        const drawn = draw();
        for (let i = 1; i < drawn.length; i += 2)
          count(counts, 10 * Number(drawn[i - 1]?.[5]) + Number(drawn[i]?.[5]));
        return counts;
      }),
    ).toBe(true);
  });

  test('what lies past the last whole million is drawn again', () => {
    const draws = [281_474_976_000_000, 2 ** 48 - 1, 42];
    const random = { bytes: () => toBytes(draws.shift() ?? 0) };
    expect(newCode(random)).toBe('000042');
    expect(draws).toEqual([]);
  });

  test('otp.alphabet = "letters", otp.length: uniform by place, and typed in either case', () => {
    const form = { length: 8, alphabet: 'letters' } as const;
    const draw = (): string[] => Array.from({ length: 20_000 }, () => newCode(systemRandom, form));
    const symbols = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
    for (let place = 0; place < 8; place++) {
      expect(
        isUniform(() => {
          const counts = Array<number>(32).fill(0);
          for (const code of draw()) count(counts, symbols.indexOf(code[place] ?? ''));
          return counts;
        }),
      ).toBe(true);
    }
    expect(typedCode(' o1lj-km 20', form)).toBe('011JKM20');
    expect(typedCode('12 34-56', { length: 6, alphabet: 'digits' })).toBe('123456');
    expect(newCode(systemRandom, { length: 10, alphabet: 'digits' })).toMatch(/^[0-9]{10}$/);
  });
});

function toBytes(value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(value, 0, 6);
  return bytes;
}
