/**
 * Password hashes of other systems: vectors that others published, bounds of cost, and what is
 * stored of them.
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseForeign, workKiB } from '../../src/crypto/foreign-hash.ts';
import { parseWrapped } from '../../src/crypto/wrapped-hash.ts';
import { rig } from './hasher-rig.ts';

const CTX = { account: 'import', client: 'import' };
const PHRASE = 'correct horse battery staple';

/** From github.com/ory/kratos, hash/hasher_test.go and identity/handler_test.go. */
const KRATOS: readonly (readonly [hash: string, password: string])[] = [
  ['$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6', 'test'],
  ['$2a$10$ZsCsoVQ3xfBG/K2z2XpBf.tm90GZmtOqtqWcB5.pYd5Eq8y7RlDyq', '123456'],
  ['$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw', 'test'],
  [
    '$argon2id$v=19$m=32,t=5,p=4$cm94YnRVOW5jZzFzcVE4bQ$fBxypOL0nP/zdPE71JtAV71i487LbX3fJI5PoTN6Lp4',
    'test',
  ],
  ['$argon2id$v=19$m=16,t=2,p=1$bVI1aE1SaTV6SGQ3bzdXdw$fnjCcZYmEPOUOjYXsT92Cg', '123456'],
  [
    '$argon2i$v=19$m=65536,t=3,p=4$kk51rW/vxIVCYn+EG4kTSg$NyT88uraJ6im6dyha/M5jhXvpqlEdlS/9fEm7ScMb8c',
    'test',
  ],
  [
    '$argon2i$v=19$m=65536,t=3,p=4$STVE4CQ9qQ1dK/j224VMbA$o8b+k5wdHgBqf7ES+aWG2K7Y9diQ6ahEhbW8zcstXGo',
    '123456',
  ],
  [
    '$pbkdf2-sha256$i=100000,l=32$1jP+5Zxpxgtee/iPxGgOz0RfE9/KJuDElP1ley4VxXc$QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI',
    'test',
  ],
  [
    '$pbkdf2-sha512$i=100000,l=32$bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU$+wArTfv1a+bNGO1iZrmEdVjhA+lL11wF4/IxpgYfPwc',
    'test',
  ],
  ['$pbkdf2-sha256$i=1000,l=128$e8/arsEf4cvQihdNgqj0Nw$5xQQKNTyeTHx2Ld5/JDE7A', '123456'],
  [
    '$scrypt$ln=16384,r=8,p=1$2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA=$MiCzNcIplSMqSBrm4HckjYqYhaVPPjTARTzwB1cVNYE=',
    'test',
  ],
  [
    '$scrypt$ln=16384,r=8,p=1$ZtQva9xCHzlSELH/mA7Kj5KjH2tCrkbwYzdxknkL0QQ=$pnTcXKaWVT+FwFDdk3vO1K0J7ZgOxdSU1tCJNYmn8zI=',
    '123456',
  ],
  [
    '$firescrypt$ln=14,r=8,p=1$sPtDhWcd1MfdAw==$xbSou7FOl6mChCyzpCPIQ7tku7nsQMTFtyOZSXXd7tjBa4NtimOx7v42Gv2SfzPQu1oxM2/k4SsbOu73wlKe1A==$Bw==$YE0dO4bwD4JnJafh6lZZfkp1MtKzuKAXQcDCJNJNyeCHairWHKENOkbh3dzwaCdizzOspwr/FITUVlnOAwPKyw==',
    '8x4WjoDbSxJZdR',
  ],
  ['{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a', 'test123'],
  ['{SSHA256}czO44OTV17PcF1cRxWrLZLy9xHd7CWyVYplr1rOhuMlx/7IK', 'test123'],
  [
    '{SSHA512}xPUl/px+1cG55rUH4rzcwxdOIPSB2TingLpiJJumN2xyDWN4Ix1WQG3ihnvHaWUE8MYNkvMi5rf0C9NYixHsE6Yh59M=',
    'test123',
  ],
  ['$sha1$pf=e1NBTFR9e1BBU1NXT1JEfQ==$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ=', 'test'],
  [
    '$sha1$pf=Pz9zdGF0aWNQcmVmaXg/P3tTQUxUfXtQQVNTV09SRH0=$NW9wbWtnejAzcg==$SAAxMUn7jxckQXkBmsVF0nHwqso=',
    'test',
  ],
  ['$sha1$pf=JHtQQVNTV09SRH0ke1NBTFR9JA==$NW9wbWtnejAzcg==$iE5n1yjX3oAdxRHwZ4u57I4LpQo=', 'test'],
  [
    '$sha256$pf=e1NBTFR9e1BBU1NXT1JEfQ==$NW9wbWtnejAzcg==$0gfRVLCvtBCk20udLDEY5vNhujWx7RGjwRIS1ebMsLY=',
    'test',
  ],
  [
    '$sha256$pf=e1NBTFR9JCR7UEFTU1dPUkR9$NW9wbWtnejAzcg==$HokCOi9OtiZaZRvnkgemV3B4UUHpI7kA8zq/EZWH2NY=',
    'test',
  ],
  [
    '$sha512$pf=e1NBTFR9e1BBU1NXT1JEfQ==$NW9wbWtnejAzcg==$6ctpVuApMNp0CgBXcdHw/GC562eFEFGr4gpgANX8ZYsX+j5B19IkdmOY2Fytsz3QUwSWdGcUjbqwgJGTH0UYvw==',
    'test',
  ],
  ['$md5$CY9rzUYh03PK3k6DJie09g==', 'test'],
  ['$md5$ptoWyof5SobW+pbZu2QXoQ==', 'ory'],
  ['$md5$4QrcOUm6Wau+VuBX8g+IPg==', '123456'],
  ['$md5$pf=e1NBTFR9e1BBU1NXT1JEfQ==$MTIz$q+RdKCgc+ipCAcm5ChQwlQ==', 'test'],
  ['$md5$pf=e1BBU1NXT1JEfXtTQUxUfSQ/$MTIzNDU2Nzg5$8PhwWanVRnpJAFK4NUjR0w==', 'ory'],
  ['$hmac-md5$ZmU4Njk3Zjc0MmQwODA0MDVkMTI3MGU2MTYzMzE2Zjk=$MTIzNDU=', 'test'],
  ['$hmac-sha1$NDMyNjcxZTUyY2Y2YTBmYjZjZDE2NjQxYjAwNjFiZjAwOGEzNWM5MA==$MTIzNDU=', 'test'],
  [
    '$hmac-sha224$YmUwYmYzM2EwNGRlNDE0YjQzNjBhNmIyOThmNmIyYzI4OWQyMzk3MDUwZDFjMzliYjVmMDMyOTQ=$MTIzNDU=',
    'test',
  ],
  [
    '$hmac-sha256$ZTAzMWJhMWMyOTM4YjFkMjgzZjkxOWExZGY5YWM2NmMxOTJhN2RkNzQ0MzJkNWZkNGFkYTI5OTk0MWJhMTA5Zg==$MTIzNDU=',
    'test',
  ],
];

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
const SIGNER =
  'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==';

const OTHERS: readonly (readonly [source: string, hash: string, password: string])[] = [
  // crypt_blowfish 1.3, wrapper.c: of ASCII the three letters name one algorithm.
  ['crypt_blowfish', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', 'U*U'],
  ['crypt_blowfish', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK', 'U*U*'],
  ['crypt_blowfish', '$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a', 'U*U*U'],
  ['pyca/bcrypt 5', '$2b$06$FWy6m8IDEg9Qdepn9RZzIuC69vTqsUQymJo/0W3MVI6JxVVvc1IrO', PHRASE],
  ['pyca/bcrypt 5', '$2a$06$r3p4oyNTwfhhcpkA9/mb5.n44rjjHa0PAI.gpIy8ia9XTQ4ET4EGa', 'pässwörd 😀'],
  [
    'phc-winner-argon2, src/test.c',
    '$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA',
    'password',
  ],
  [
    'Django 5.2',
    '$argon2id$v=19$m=102400,t=2,p=8$bE96MkFXeEZnWWpHSEliZHpSS0ZnQw$XeXszeqdyygWTL4EY/M1xP6XkewLOAGPjVjtCFBEqXk',
    PHRASE,
  ],
  [
    'RFC 7914 §11',
    `$pbkdf2-sha256$i=80000,l=64$${base64(Buffer.from('NaCl').toString('hex'))}$${base64('4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d')}`,
    'Password',
  ],
  [
    'RFC 6070',
    `$pbkdf2-sha1$i=4096,l=20$${Buffer.from('salt').toString('base64')}$${base64('4b007901b765489abead49d926f721d065a429c1')}`,
    'password',
  ],
  [
    'RFC 7914 §12',
    `$scrypt$ln=14,r=8,p=1$${Buffer.from('SodiumChloride').toString('base64')}$${base64('7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887')}`,
    'pleaseletmein',
  ],
  [
    'github.com/firebase/scrypt, README',
    `$firescrypt$ln=14,r=8,p=1$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==$Bw==$${SIGNER}`,
    'user1password',
  ],
  [
    'firebase-admin-go, integration/auth/user_mgt_test.go',
    `$firescrypt$ln=14,r=8,p=1$TmFDbA==$V358E8LdWJXAO7muq0CufVpEOXaj8aFiC7T/rcaGieN04q/ZPJ08WhJEHGjj9lz/2TT+/86N5VjVoc5DdBhBiw==$Bw==$${SIGNER}`,
    'password',
  ],
];

const ALL = [
  ...KRATOS.map(([hash, password]) => ['Ory Kratos', hash, password] as const),
  ...OTHERS,
];

test.each(ALL)('%s: %s', async (_, text, password) => {
  const { hasher, refused } = rig();
  const stored = await hasher.adopt(text, CTX);
  const wrong = await hasher.verify(stored, `${password}x`, CTX);
  expect(wrong).toEqual({ ok: false, rehash: null });
  const { ok, rehash } = await hasher.verify(stored, password, CTX);
  expect(ok).toBe(true);
  expect(rehash).toMatch(/^\$argon2id\$v=19\$m=256,t=3,p=1\$/);
  expect(await hasher.verify(rehash, password, CTX)).toEqual({ ok: true, rehash: null });
  // What was exported comes back as it is.
  expect(await hasher.adopt(stored, CTX)).toBe(stored);
  expect(refused).toEqual([]);
});

describe('a fast hash', () => {
  const fast = KRATOS.map(([hash]) => hash).filter((hash) =>
    /^(?:\{|\$sha|\$md5|\$hmac)/.test(hash),
  );

  test.each([...fast, KRATOS[9]?.[0] ?? ''])('nothing of it is stored: %s', async (text) => {
    const { hasher } = rig();
    const stored = await hasher.adopt(text, CTX);
    expect(stored).toMatch(/^\$over\$[a-z0-9-]+\$[\w.-]*\$argon2id\$v=19\$m=256,t=3,p=1\$/);
    const value = text.slice(text.startsWith('$hmac') ? 13 : -20, -5);
    expect(stored).not.toContain(value);
    expect(parseWrapped(stored)?.outer).toMatch(/^\$argon2id\$/);
  });

  test('left in the database unwrapped, it is not compared', async () => {
    const { hasher, refused } = rig();
    expect((await hasher.verify('$md5$CY9rzUYh03PK3k6DJie09g==', 'test', CTX)).ok).toBe(false);
    expect(refused).toEqual(['malformed']);
  });

  test('its digits are no password', async () => {
    const { hasher } = rig();
    const stored = await hasher.adopt('$md5$CY9rzUYh03PK3k6DJie09g==', CTX);
    const digits = createHash('md5').update('test').digest('hex');
    expect((await hasher.verify(stored, digits, CTX)).ok).toBe(false);
  });

  test('with a pepper that is gone, it says so', async () => {
    const { hasher } = rig({ pepper: 'a pepper of 32 bytes, made up...' });
    const stored = await hasher.adopt('$md5$CY9rzUYh03PK3k6DJie09g==', CTX);
    expect(rig().hasher.refusalOf(stored)).toBe('unknown_pepper');
    await expect(rig().hasher.adopt(stored, CTX)).rejects.toThrow(TypeError);
  });
});

describe('bounds', () => {
  const salt = Buffer.alloc(16, 7).toString('base64');
  const value = Buffer.alloc(32, 9).toString('base64');
  const plain = (text: string) => text.replace(/=+$/, '');
  const bcrypt = (cost: string) => `$2b$${cost}$${'.'.repeat(53)}`;
  const argon = (kind: string, cost: string) =>
    `$${kind}$v=19$${cost}$${plain(salt)}$${plain(value)}`;

  test.each([
    [bcrypt('15')],
    [bcrypt('31')],
    [argon('argon2i', 'm=262145,t=1,p=1')],
    [argon('argon2i', 'm=65536,t=11,p=1')],
    [argon('argon2i', 'm=65536,t=1,p=17')],
    [argon('argon2id', 'm=262145,t=1,p=1')],
    [argon('argon2id', 'm=65536,t=11,p=1')],
    [`$pbkdf2-sha256$i=2000001,l=32$${salt}$${value}`],
    [`$pbkdf2-sha256$i=9999999999,l=32$${salt}$${value}`],
    [`$scrypt$ln=131072,r=8,p=1$${salt}$${value}`],
    [`$scrypt$ln=17,r=8,p=1$${salt}$${value}`],
    [`$scrypt$ln=31,r=1,p=1$${salt}$${value}`],
    [`$scrypt$ln=65536,r=8,p=9$${salt}$${value}`],
    [`$scrypt$ln=1024,r=8,p=9999$${salt}$${value}`],
    [`$firescrypt$ln=20,r=8,p=1$${salt}$${value}$Bw==$${value}`],
  ])('P08, A11: %s is refused for its cost, at the import and at a comparison', async (text) => {
    const { hasher, refused, done } = rig();
    expect(hasher.refusalOf(text)).toBe('cost');
    if (text.startsWith('$argon2id')) return;
    expect((await hasher.verify(text, 'password', CTX)).ok).toBe(false);
    expect([refused, done.length]).toEqual([['cost'], 1]);
  });

  test.each([
    [bcrypt('14')],
    [argon('argon2i', 'm=262144,t=10,p=4')],
    [argon('argon2id', 'm=262144,t=10,p=4')],
    [`$pbkdf2-sha512$i=2000000,l=32$${salt}$${value}`],
    [`$scrypt$ln=65536,r=8,p=1$${salt}$${value}`],
  ])('%s is the most that is taken', async (text) => {
    expect(await rig().hasher.adopt(text, CTX)).toBe(text);
  });

  test.each([
    [''],
    ['password'],
    ['$unknown$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6'],
    [bcrypt('03')],
    [`$2x$${bcrypt('10').slice(4)}`],
    [bcrypt('10').slice(0, -1)],
    [`${bcrypt('10')}.`],
    [argon('argon2d', 'm=65536,t=1,p=1')],
    [argon('argon2i', 'm=065536,t=1,p=1')],
    [argon('argon2i', 'm=65536,t=1,p=1').replace('v=19', 'v=16')],
    [`$pbkdf2-sha257$i=100000,l=32$${salt}$${value}`],
    [`$pbkdf2-md5$i=100000,l=32$${salt}$${value}`],
    [`$pbkdf2-sha256$I=100000,l=32$${salt}$${value}`],
    [`$pbkdf2-sha256$i=0,l=32$${salt}$${value}`],
    [`$pbkdf2-sha256$i=100000,l=32$${salt}$AAAA`],
    [`$pbkdf2-sha256$i=100000,l=32$(${salt}$${value}`],
    [`$pbkdf2-sha256$${salt}$${value}`],
    [`$scrypt$ln=16385,r=8,p=1$${salt}$${value}`],
    [`$scrypt$ln=1,r=0,p=1$${salt}$${value}`],
    [`$scrypt$${salt}$${value}`],
    [`$firescrypt$ln=14,r=8,p=1$${salt}$${value}$Bw==$AAAA`],
    ['{SSHA}tooshort'],
    [`{SSHA}${base64('00'.repeat(20))}`],
    ['{SSHA1024}AAAA'],
    ['$md5$$'],
    ['$md5$WhBei51A4TKXgNYuoiZdig'.slice(0, 20)],
    ['$md5$pf=MTIz$MTIz$q+RdKCgc+ipCAcm5ChQwlQ=='],
    [
      `$md5$pf=${Buffer.from('{PASSWORD}{PASSWORD}').toString('base64')}$MTIz$q+RdKCgc+ipCAcm5ChQwlQ==`,
    ],
    [`$sha1$pf=$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ=`],
    ['$sha256-crypt$rounds=535000$05R.9KB6UC2kLI3w$Q/zslzx./JjkAVPTwp6th7nW5l7JU91Gte/UmIh.U78'],
    ['$hmac-md5$ZmU4Njk3Zjc0MmQwODA0MDVkMTI3MGU2MTYzMzE2Zjk='],
    ['$hmac-md4$MWQ5ZTI4Nzc2Zjg4YmE2MTQ5YjQ0OTMyOGE4NWU4YjA=$MTIzNDU='],
    ['$over$digest-md5$.$argon2i$v=19$x'],
    [`$over$pbkdf2-sha1$AAAA.10001.20${argon('argon2id', 'm=256,t=1,p=1')}`],
    [`$over$digest-md5${'A'.repeat(3_000)}`],
    [`$sha1$pf=${'A'.repeat(2_000)}$AAAA$AAAA`],
  ])('%s is none', async (text) => {
    const { hasher, refused } = rig();
    expect(hasher.refusalOf(text)).toBe('malformed');
    expect((await hasher.verify(text, 'password', CTX)).ok).toBe(false);
    expect(refused).toEqual(['malformed']);
  });

  test('an argon2id cost that is configured here is taken from elsewhere too', async () => {
    const cost = { memoryKiB: 8_192, passes: 12 };
    const stored = await rig(cost).hasher.hash(PHRASE, CTX);
    expect(await rig(cost).hasher.adopt(stored, CTX)).toBe(stored);
    expect(rig().hasher.refusalOf(stored)).toBe('cost');
  });
});

test('P02: bcrypt reads 72 bytes; the hash that replaces it reads all of them', async () => {
  const { hasher } = rig();
  const typed = `${'a'.repeat(72)}X`;
  const stored = '$2b$05$4zVdj.LrW7boa/nCaOIDWuxNw3HrW0NhJkj6GSmk3m1nD00N6e.gm';
  const other = `${'a'.repeat(72)}Y`;
  expect((await hasher.verify(stored, other, CTX)).ok).toBe(true);
  const { rehash } = await hasher.verify(stored, typed, CTX);
  expect((await hasher.verify(rehash, other, CTX)).ok).toBe(false);
  expect((await hasher.verify(rehash, typed, CTX)).ok).toBe(true);
});

test('E01: what is cheaper than usual is made up for after a mismatch', () => {
  const works = ALL.flatMap(([, text]) => {
    const hash = parseForeign(text);
    return typeof hash === 'string' || hash.kind === 'fast' ? [] : [workKiB(hash)];
  });
  expect(Math.min(...works)).toBeGreaterThan(0);
  // bcrypt 12 takes longer than 19 MiB filled twice; nothing is owed.
  expect(Math.max(...works)).toBeGreaterThan(2 * 19_456);
});
