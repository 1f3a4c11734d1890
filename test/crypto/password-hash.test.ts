import { describe, expect, test } from 'vitest';
import { rig } from './hasher-rig.ts';

const PEPPER = 'a pepper of 32 bytes, made up...';
const CTX = { account: 'ada', client: 'here' };

describe('fixed vectors', () => {
  // Made with hash-wasm 4, another implementation. Salt: "sixteen bytes ok".
  test.each([
    ['correct horse battery staple', undefined, '', 'cockOddNAuaJSKWrDvF3XT0piQtkUHLdMNQ8PRtQslI'],
    [
      'correct horse battery staple',
      PEPPER,
      ',keyid=fEnF8h0NMlI',
      'nfLMFT2oxNpw9700zhFTU3MCeCINzYUTrLFSyHlTMR0',
    ],
    ['pässwörd 😀 é', PEPPER, ',keyid=fEnF8h0NMlI', 'mXWIn1TMzXLAqjCCzo+5ZpBcfc5s35bk0yQCBKP7lck'],
  ])('argon2id of %j with pepper %j', async (password, pepper, keyId, hash) => {
    const salt = {
      bytes: (length: number) => Buffer.from('sixteen bytes ok'.repeat(2).slice(0, length)),
    };
    const { hasher } = rig({ random: salt, ...(pepper === undefined ? {} : { pepper }) });
    const stored = `$argon2id$v=19$m=256,t=3,p=1${keyId}$c2l4dGVlbiBieXRlcyBvaw$${hash}`;
    expect(await hasher.hash(password, CTX)).toBe(stored);
    expect(await hasher.verify(stored, password, CTX)).toEqual({ ok: true, rehash: null });
    expect(await hasher.verify(stored, `${password}x`, CTX)).toEqual({ ok: false, rehash: null });
  });

  test('the reference implementation’s argon2id test (m=2^8, t=2, p=1, "password", "somesalt") verifies, and is renewed', async () => {
    const stored =
      '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
    const { ok, rehash } = await rig().hasher.verify(stored, 'password', CTX);
    expect(ok).toBe(true);
    expect(rehash).toMatch(
      /^\$argon2id\$v=19\$m=256,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
  });
});

describe('verifying', () => {
  test('P02: 72 a’s and X is not 72 a’s and Y; case, spaces and a cut are other passwords', async () => {
    const { hasher } = rig();
    const password = `${'a'.repeat(72)}X`;
    const stored = await hasher.hash(password, CTX);
    for (const other of [
      `${'a'.repeat(72)}Y`,
      `${'a'.repeat(72)}x`,
      'a'.repeat(72),
      `${password} `,
      ` ${password}`,
      '',
    ]) {
      expect((await hasher.verify(stored, other, CTX)).ok).toBe(false);
    }
    expect((await hasher.verify(stored, password, CTX)).ok).toBe(true);
  });

  test('N4: two hashes of one password have different salts of 16 bytes', async () => {
    const { hasher } = rig();
    const salts = await Promise.all(
      [1, 2, 3].map(async () => (await hasher.hash('same', CTX)).split('$')[4]),
    );
    expect(new Set(salts).size).toBe(3);
    for (const salt of salts) expect(Buffer.from(salt ?? '', 'base64')).toHaveLength(16);
  });

  test('T4, P04: a lone surrogate never verifies as U+FFFD, and is not hashed', async () => {
    const { hasher } = rig();
    const stored = await hasher.hash('pass\ufffd', CTX);
    expect((await hasher.verify(stored, 'pass\ud800', CTX)).ok).toBe(false);
    await expect(hasher.hash('pass\ud800', CTX)).rejects.toThrow(TypeError);
  });

  test('G5, E01: no stored hash does the work of one and is never ok', async () => {
    const { hasher, done } = rig();
    expect(await hasher.verify(null, 'anything', CTX)).toEqual({ ok: false, rehash: null });
    expect(done).toHaveLength(1);
  });

  test('P08, ASVS 11.2.2: a lower cost verifies and yields a hash at the current one, a wrong password yields none', async () => {
    const cheap = await rig({ memoryKiB: 64, passes: 1 }).hasher.hash('pass phrase', CTX);
    const { hasher, done } = rig();
    const { ok, rehash } = await hasher.verify(cheap, 'pass phrase', CTX);
    expect(ok).toBe(true);
    expect(rehash).toContain('$m=256,t=3,p=1$');
    expect(done).toHaveLength(1);
    expect(await hasher.verify(rehash, 'pass phrase', CTX)).toEqual({ ok: true, rehash: null });
    expect(await hasher.verify(cheap, 'other', CTX)).toEqual({ ok: false, rehash: null });
  });

  test.each([
    [
      '$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'cost',
    ],
    [
      '$argon2id$v=19$m=1048577,t=1,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'cost',
    ],
    [
      '$argon2id$v=19$m=64,t=101,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'cost',
    ],
    [
      '$argon2id$v=19$m=1024,t=1,p=17$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'cost',
    ],
    [
      '$argon2id$v=19$m=1048576,t=5,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'cost',
    ],
    [
      '$argon2id$v=19$m=4294967296,t=4294967296,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'cost',
    ],
    [
      '$argon2id$v=19$m=7,t=1,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'cost',
    ],
    [
      '$argon2id$v=19$m=064,t=1,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'malformed',
    ],
    [
      '$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'malformed',
    ],
    [
      '$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'malformed',
    ],
    ['$argon2id$v=19$m=256,t=2,p=1$c29t$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c', 'malformed'],
    ['$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21l$', 'malformed'],
    [
      '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5d',
      'malformed',
    ],
    [
      '$argon2id$v=19$m=256,t=2,p=1,keyid=AAAAAAAAAAA$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaWje8Mu9c7eQnAymHwCtlZvkWE5c',
      'unknown_pepper',
    ],
    ['', 'malformed'],
    ['password', 'malformed'],
    [`$argon2id$v=19$m=256,t=2,p=1$${'A'.repeat(400)}$AAAA`, 'malformed'],
  ])(
    'P08: the planted hash %s is never run, does usual work, and is reported as %s',
    async (stored, reason) => {
      const { hasher, done, refused } = rig();
      expect(await hasher.verify(stored, 'password', CTX)).toEqual({ ok: false, rehash: null });
      expect(done).toHaveLength(1);
      expect(refused).toEqual([reason]);
    },
  );
});

describe('peppers', () => {
  test('ASVS 11.2.2: an old pepper verifies and yields a hash under the new one; unknown ones never verify', async () => {
    const old = rig({ pepper: 'the pepper of last year' });
    const stored = await old.hasher.hash('pass phrase', CTX);
    const rotated = rig({ pepper: PEPPER, previousPeppers: ['the pepper of last year'] });
    const { ok, rehash } = await rotated.hasher.verify(stored, 'pass phrase', CTX);
    expect(ok).toBe(true);
    expect(rehash).toContain(',keyid=fEnF8h0NMlI$');
    expect(await rotated.hasher.verify(rehash, 'pass phrase', CTX)).toEqual({
      ok: true,
      rehash: null,
    });
    expect((await rotated.hasher.verify(stored, 'wrong', CTX)).rehash).toBeNull();

    const without = rig({ pepper: PEPPER });
    expect(await without.hasher.verify(stored, 'pass phrase', CTX)).toEqual({
      ok: false,
      rehash: null,
    });
    expect(without.refused).toEqual(['unknown_pepper']);
  });

  test('N4: the stored text without the pepper is worth nothing, also with its keyid cut out', async () => {
    const stored = await rig({ pepper: PEPPER }).hasher.hash('pass phrase', CTX);
    expect(stored).not.toContain('pepper');
    const bare = stored.replace(/,keyid=[^$]+/, '');
    expect((await rig().hasher.verify(bare, 'pass phrase', CTX)).ok).toBe(false);
  });

  test('a hash made before there was a pepper verifies and is renewed with it', async () => {
    const stored = await rig().hasher.hash('pass phrase', CTX);
    expect(
      (await rig({ pepper: PEPPER }).hasher.verify(stored, 'pass phrase', CTX)).rehash,
    ).toContain('keyid=');
  });

  test('a pepper of fewer than 16 bytes, or an absurd cost, stops the start', () => {
    expect(() => rig({ pepper: 'short' })).toThrow(RangeError);
    for (const cost of [
      { memoryKiB: 0 },
      { passes: 0 },
      { lanes: 0 },
      { lanes: 17 },
      { memoryKiB: 2 ** 21 },
      { passes: 1.5 },
    ])
      expect(() => rig(cost)).toThrow(RangeError);
  });
});
