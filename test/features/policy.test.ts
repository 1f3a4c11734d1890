import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildCommonPasswords, OUTPUT } from '../../scripts/build-common-passwords.mjs';
import { commonPasswords } from '../../src/core/password/common-passwords.ts';
import { withoutContextWords } from '../../src/core/password/context-words.ts';
import { normalizePassword, passwordFaults } from '../../src/core/password/policy.ts';
import type { PasswordContext, PasswordPolicy } from '../../src/core/password/policy.ts';
import { passwordScore } from '../../src/core/password/score.ts';
import { testRandom } from '../support/random.ts';

const common = commonPasswords(readFileSync(OUTPUT));
const policy: PasswordPolicy = { minLength: 8, common };
const nobody: PasswordContext = {};
const ada: PasswordContext = {
  username: 'ada',
  email: 'ada.byron@mail.example.com',
  displayName: 'Ada Lovelace',
  words: ['postern', 'ACME Corp'],
};

const codes = (password: string, context = nobody, rules = policy): string[] =>
  passwordFaults(rules, password, context).map(({ code }) => code);

describe('length and characters', () => {
  test.each([
    [15, 14, ['too_short']],
    [15, 15, []],
    [8, 7, ['too_short']],
    [8, 8, []],
    [8, 64, []],
    [8, 128, []],
    [8, 129, ['too_long']],
    [8, 1_000_000, ['too_long']],
  ])(
    'P01, N1, ASVS 6.2.1, 6.2.9: with a minimum of %i, %i characters',
    (minLength, length, expected) => {
      const password = Array.from({ length }, (_, n) =>
        String.fromCharCode(0x4e00 + ((n * 7_919) % 20_000)),
      ).join('');
      expect(codes(password, nobody, { minLength, common: null })).toEqual(expected);
    },
  );

  test('N1: code points are counted, after NFC: an emoji is one, a letter with its accent is one', () => {
    expect(codes('😀🎲🚪🔑🐎🔋📎', nobody)).toEqual(['too_short']);
    expect(codes('😀🎲🚪🔑🐎🔋📎🧵', nobody)).toEqual([]);
    expect(codes('e\u0301'.repeat(7), nobody)).toContain('too_short');
    expect(codes('x\u0323\u0307'.repeat(128), nobody, { minLength: 8, common: null })).toEqual([
      'too_long',
    ]);
    // 512 units, the most that shrink to 128 code points.
    expect(
      codes('\u03b1\u0313\u0300\u0345'.repeat(128), nobody, { minLength: 8, common: null }),
    ).toEqual([]);
  });

  test('the detail says what to write, with numbers, and carries nothing of the password', () => {
    expect(passwordFaults({ minLength: 15, common }, 'hunter2hu', nobody)).toEqual([
      { code: 'too_short', detail: 'Use at least 15 characters; this has 9.' },
    ]);
    for (const { detail } of passwordFaults(policy, 'sunshine', ada))
      expect(detail).not.toContain('sunshine');
  });

  test.each([
    '\0',
    '\u0001',
    '\t',
    '\n',
    '\r',
    '\u001b',
    '\u007f',
    '\u0085',
    '\u009f',
    '\ud800',
    '\udfff',
  ])('P04, D8, G1: %j anywhere is forbidden, and is nobody’s password', (char) => {
    for (const password of [
      `${char}correct horse`,
      `correct ${char} horse`,
      `correct horse${char}`,
    ]) {
      expect(codes(password)).toEqual(['forbidden_characters']);
      expect(normalizePassword(password)).toBeNull();
    }
  });

  test('P03, N2: NFC and NFD are one password, NFKC-equal ones are two', () => {
    expect(normalizePassword('cafe\u0301')).toBe(normalizePassword('café'));
    expect(normalizePassword('ﬁ')).not.toBe(normalizePassword('fi'));
  });

  test('ASVS 6.2.8: nothing but NFC is done: no trim, no fold, no cut; twice is once', () => {
    expect(normalizePassword('  Correct Horse  ')).toBe('  Correct Horse  ');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 128 }), (text) => {
        const once = normalizePassword(text);
        if (once === null) return;
        expect(once).toBe(text.normalize('NFC'));
        expect(normalizePassword(once)).toBe(once);
      }),
    );
  });

  test('P01: a megabyte of combining marks is not normalised', () => {
    expect(normalizePassword('\u0301\u0316'.repeat(500_000))).toBeNull();
    expect(codes('\u0301\u0316'.repeat(500_000))).toEqual(['too_long']);
  });

  test.each([
    'abcdzzqkwmxv',
    'QWXZKVJPBMTD',
    '840162739514',
    '#%*{~^?)(&@;',
    'ßþðœæłøđ',
    '                x',
  ])('ASVS 6.2.5: no composition rules: %j passes', (password) =>
    expect(codes(password)).toEqual([]),
  );
});

describe('common passwords', () => {
  test('the committed list is what the script makes, sorted and without duplicates', () => {
    const bytes = readFileSync(OUTPUT);
    expect(bytes.equals(buildCommonPasswords())).toBe(true);
    for (let at = 8; at < bytes.length; at += 8)
      expect(bytes.compare(bytes, at - 8, at, at, at + 8)).toBe(1);
  });

  test.each([
    'password',
    'password1',
    'iloveyou',
    'sunshine',
    '12345678',
    'qwertyuiop',
    'football',
    '1q2w3e4r',
    'passwordpassword',
    '123456789012345',
  ])('P05, ASVS 6.2.4: %s is refused', (password) => expect(codes(password)).toContain('common'));

  test('case makes no difference, for it makes little to a guesser', () =>
    expect(codes('PassWord1')).toContain('common'));

  test('N3: the whole password is compared: a common one inside a longer one is nothing', () => {
    expect(codes('password in a forest of birches')).toEqual([]);
    expect(codes('my dog is called sunshine')).toEqual([]);
  });

  test('the first and the last entry are found, and nothing beside them', () => {
    const bytes = readFileSync(OUTPUT);
    expect(() => commonPasswords(bytes.subarray(1))).toThrow(RangeError);
    expect(() => commonPasswords(new Uint8Array())).toThrow(RangeError);
    fc.assert(
      fc.property(fc.uuid(), (text) => {
        expect(common.has(text)).toBe(false);
      }),
    );
  });
});

describe('context words', () => {
  test.each([
    'ada-lovelace-2024',
    'AdaLovelace1815!',
    'lovelace lovelace',
    'ada.byron@mail.example.com',
    'adaadaadaada',
    'postern-postern',
    'postern8472619375',
    'Postern!2024',
    'p0st3rn_password',
    'welcome to postern',
    '!!!!postern!!!!',
    'acme corp acme corp',
    'acmecorp12345678',
    'example.com2025',
    'ådå løvelåce',
    'ＰＯＳＴＥＲＮ２０２４',
    'postern-qwertyuiop',
  ])('P05, ASVS 6.2.11: %s is little more than a name', (password) =>
    expect(codes(password, ada)).toContain('context_word'),
  );

  test.each([
    'ada-lovelace-draws-engines',
    'the postern of the castle',
    'my mail goes by night train',
    'heartbreak hotel',
    'canada-postcards',
    'correct horse battery staple',
    'x7Kq!postern#v2Lm9',
  ])('N3: no substring rule: %s is one’s own', (password) =>
    expect(codes(password, { ...ada, words: [...(ada.words ?? []), 'art'] })).toEqual([]),
  );

  test('without a context nothing is a context word; empty and tiny words are none', () => {
    expect(codes('ada-lovelace-2024')).toEqual([]);
    expect(
      codes('a b c d e f g h i', {
        username: 'a',
        email: '@',
        displayName: ' ',
        words: ['', '-', 'b'],
      }),
    ).toEqual([]);
  });

  test('a name in a script of short words counts from two characters', () =>
    expect(codes('李明-20240101', { displayName: '李明' })).toContain('context_word'));

  test('the number of codes left is correct', () => {
    expect(withoutContextWords('postern-qwertyuiop', ada)).toMatchObject({
      found: true,
      text: 'qwertyuiop',
    });
    expect(withoutContextWords('heartbreak', { words: ['art'] })).toMatchObject({ found: false });
    expect(withoutContextWords('', ada)).toEqual({ found: false, weight: 0, text: '' });
  });

  test('any text and any context give an answer, and more context never makes a password better', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    fc.assert(
      fc.property(text, text, text, (password, name, word) => {
        const less = withoutContextWords(password, { words: [word] });
        const more = withoutContextWords(password, { words: [word], displayName: name });
        expect(more.weight).toBeLessThanOrEqual(less.weight);
        expect(more.found || !less.found).toBe(true);
      }),
    );
  });
});

describe('the score', () => {
  test.each([
    ['', 0],
    ['password1', 0],
    ['postern-postern', 0],
    ['aaaaaaaaaaaaaaaaaaaaaaaa', 0],
    ['abcdefghijklmnop', 0],
    ['abcabcabcabcabcabcabcabc', 0],
    ['20240917', 1],
    ['heartbreak7x', 2],
    ['Tr0ub4dor&3', 2],
    ['bkqzwtmrpdhxvnl', 2],
    ['correct horse battery', 3],
    ['correct horse battery staple', 4],
    ['kq9#vX2!mZ7&pL4@', 4],
  ])('%j scores %i', (password, score) => expect(passwordScore(policy, password, ada)).toBe(score));
});

describe('a common password with filler (N3, ASVS 6.2.4)', () => {
  test.each([
    'password1234567',
    'iloveyouiloveyou',
    'Summer2026Summer2026',
    'abcabcabcabcabcabc',
    'Passw0rdPassw0rd',
    'P@ssw0rd!!!!!!!!',
    '!!!Welcome!!!2026',
    'qwertyqwertyqwer',
    'aaaaaaaaaaaaaaaaaaaaaaaa',
    '1112223333password',
    'Dr4g0nDr4g0nDr4g0n',
    'FOOTBALL-FOOTBALL-',
  ])('%s is refused, and scores 0', (password) => {
    expect(codes(password)).toEqual(['common']);
    expect(passwordScore(policy, password, nobody)).toBe(0);
  });

  test.each([
    'correct horse battery staple',
    'password of my grandmother',
    'summer rain on tin roofs',
    // More filler than guessing programs try is a secret of its own.
    'dragon4820571936482',
    '李明爱吃苹果和香蕉吗',
  ])('%s is taken', (password) => expect(codes(password)).toEqual([]));

  test('without the list nothing of it is asked', () =>
    expect(codes('password1234567', nobody, { minLength: 8, common: null })).toEqual([]));

  test('10,000 random passwords and 1,000 passphrases of four words are taken, and score at least 1', () => {
    const random = testRandom();
    const below = (limit: number): number => random.bytes(4).readUInt32BE() % limit;
    const pick = (from: string, count: number): string =>
      Array.from({ length: count }, () => from[below(from.length)]).join('');
    const lower = 'abcdefghijklmnopqrstuvwxyz';
    const alphabets = [
      lower,
      `${lower}0123456789`,
      `${lower}${lower.toUpperCase()}0123456789`,
      Array.from({ length: 94 }, (_, n) => String.fromCharCode(33 + n)).join(''),
    ];
    const strict = { minLength: 15, common };
    const check = (password: string): void => {
      expect([password, codes(password, ada, strict)]).toEqual([password, []]);
      expect(passwordScore(strict, password, ada)).toBeGreaterThan(0);
    };
    for (let i = 0; i < 10_000; i++) check(pick(alphabets[i % 4] ?? lower, 15 + (i % 10)));
    for (let i = 0; i < 1_000; i++) {
      const words = Array.from({ length: 4 }, () => WORDS[below(WORDS.length)]);
      check(words.join([' ', '-', '', '.'][i % 4]));
    }
  });

  test('the score agrees with the verdict, whatever the text', () => {
    const text = fc.string({ unit: 'binary', maxLength: 140 });
    fc.assert(
      fc.property(text, (password) => {
        const score = passwordScore(policy, password, ada);
        expect(codes(password, ada).length === 0 ? score >= 1 : score <= 1).toBe(true);
      }),
    );
  });
});

/** Words of everyday use, five letters and more. */
const WORDS =
  'anchor bakery candle dancer eagle fabric garden harbor island jacket kettle ladder marble needle orange pencil quartz ribbon saddle tunnel umbrella velvet window yellow zipper acorn blanket cactus dolphin elbow feather giraffe hammer insect jigsaw kitchen lantern mirror napkin oyster parrot quilt rocket shovel teapot uncle violin walnut xylophone yogurt zebra apron bridge cloud drum engine forest glove hat igloo jungle knife lemon mountain notebook ocean paper queen river stone tiger unicorn village water yacht'.split(
    ' ',
  );
