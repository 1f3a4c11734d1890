import { createDecipheriv } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SealError, createSealer, parseSealKey } from '../../src/crypto/seal.ts';
import { createSystemRandom } from '../../src/crypto/secret.ts';

const systemRandom = createSystemRandom();

const KEY = Uint8Array.from({ length: 32 }, (_, n) => n);
const OTHER = Uint8Array.from({ length: 32 }, (_, n) => 255 - n);
const sealer = createSealer({ current: KEY, previous: [] }, systemRandom);

function refusal(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    if (error instanceof SealError) return error.code;
    throw error;
  }
  throw new Error('opened');
}

describe('sealing', () => {
  // Made with Python's cryptography 48 (HKDF-SHA-256, AES-256-GCM): key 00…1f, nonce 64…6f.
  const FIXED = 'v1.WdD2xU4Utdk.ZGVmZ2hpamtsbW5v8ajXQxCpN96y1sfQxR1SAOfvE2o07W8qHjzGmusknkZ-3gLR';

  test('a fixed text made by another implementation opens, and the same nonce makes the same text', () => {
    expect(sealer.open('totp.secret:018f', FIXED).toString()).toBe('the seed of a factor');
    const nonce = {
      bytes: (length: number) => Buffer.from(Array.from({ length }, (_, n) => 100 + n)),
    };
    expect(
      createSealer({ current: KEY, previous: [] }, nonce).seal(
        'totp.secret:018f',
        Buffer.from('the seed of a factor'),
      ),
    ).toBe(FIXED);
  });

  test('the platform’s AES-256-GCM gives McGrew and Viega’s test case 16', () => {
    const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
    const decipher = createDecipheriv(
      'aes-256-gcm',
      hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'),
      hex('cafebabefacedbaddecaf888'),
      {
        authTagLength: 16,
      },
    );
    decipher.setAAD(hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'));
    decipher.setAuthTag(hex('76fc6ece0f4e1768cddf8853bb2d551b'));
    const ciphertext = hex(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662',
    );
    const plaintext = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    expect(plaintext.toString('hex')).toBe(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    );
  });

  test('what is sealed opens to the same bytes, the empty ones too', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.string({ minLength: 1 }), (bytes, purpose) => {
        expect(sealer.open(purpose, sealer.seal(purpose, bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  test('ASVS 11.3.3: every character changed, cut off or added is refused', () => {
    const sealed = sealer.seal('t.c:1', Buffer.from('secret'));
    for (let at = 0; at < sealed.length; at += 1) {
      for (const char of ['A', 'B', '_', '=', ' ', '.']) {
        const altered = sealed.slice(0, at) + char + sealed.slice(at + 1);
        if (altered !== sealed)
          expect(['malformed', 'unknown_key', 'changed']).toContain(
            refusal(() => sealer.open('t.c:1', altered)),
          );
      }
      expect(refusal(() => sealer.open('t.c:1', sealed.slice(0, at)))).toBeTypeOf('string');
    }
    for (const tail of ['A', '=', '\n', ' '])
      expect(refusal(() => sealer.open('t.c:1', sealed + tail))).toBeTypeOf('string');
  });

  test('a ciphertext moved to another row, column or table does not open there', () => {
    const sealed = sealer.seal('totp.secret:1', Buffer.from('secret'));
    for (const place of ['totp.secret:2', 'totp.other:1', 'email.secret:1', 'totp.secret:1 '])
      expect(refusal(() => sealer.open(place, sealed))).toBe('changed');
  });

  test('ASVS 11.2.2: a previous key still opens, the current one seals, and isCurrent tells them apart', () => {
    const old = createSealer({ current: OTHER, previous: [] }, systemRandom).seal(
      't.c:1',
      Buffer.from('kept'),
    );
    const rotated = createSealer({ current: KEY, previous: [OTHER] }, systemRandom);
    expect(rotated.open('t.c:1', old).toString()).toBe('kept');
    expect(rotated.isCurrent(old)).toBe(false);
    expect(rotated.isCurrent(rotated.seal('t.c:1', Buffer.from('new')))).toBe(true);
    expect(rotated.isCurrent('nonsense')).toBe(false);
    expect(refusal(() => sealer.open('t.c:1', old))).toBe('unknown_key');
  });

  test('a key id swapped for that of another key we hold is refused', () => {
    const both = createSealer({ current: KEY, previous: [OTHER] }, systemRandom);
    const otherId =
      createSealer({ current: OTHER, previous: [] }, systemRandom).seal('p', KEY).split('.')[1] ??
      '';
    const [version, , body] = both.seal('p', Buffer.from('x')).split('.');
    expect(refusal(() => both.open('p', `${version}.${otherId}.${body}`))).toBe('changed');
  });

  test('ASVS 11.3.4: the same bytes sealed twice are different texts', () => {
    const texts = new Set(Array.from({ length: 1_000 }, () => sealer.seal('p', KEY)));
    expect(texts.size).toBe(1_000);
  });

  test('an empty or ill-formed purpose is reported as a bug', () => {
    expect(() => sealer.seal('', KEY)).toThrow(TypeError);
    expect(() => sealer.seal('\ud800', KEY)).toThrow(TypeError);
  });
});

describe('sealing keys', () => {
  const bytes = systemRandom.bytes(32);

  test.each(['base64', 'base64url', 'hex'] as const)(
    '32 random bytes in %s are a key, with a newline behind them too',
    (encoding) => {
      const text = bytes.toString(encoding);
      expect(parseSealKey(text)).toEqual(bytes);
      expect(parseSealKey(`${text}\n`)).toEqual(bytes);
      expect(parseSealKey(text.replace(/=$/, ''))).toEqual(bytes);
    },
  );

  test('upper-case hex is a key', () =>
    expect(parseSealKey(bytes.toString('hex').toUpperCase())).toEqual(bytes));

  test.each([
    '',
    'changeme',
    'a'.repeat(32),
    'ab'.repeat(31),
    'ab'.repeat(33),
    systemRandom.bytes(31).toString('base64'),
    systemRandom.bytes(33).toString('base64'),
    'é'.repeat(43),
    '='.repeat(44),
  ])('A05: %j is refused; the message says how to make a key and does not repeat it', (text) => {
    let message = '';
    try {
      parseSealKey(text);
    } catch (error) {
      message = error instanceof Error ? error.message : '';
    }
    expect(message).toContain('openssl rand -base64 32');
    if (text !== '') expect(message).not.toContain(text);
  });

  test.each([
    '00'.repeat(32),
    'ab'.repeat(32),
    Buffer.from('postern postern postern postern!').toString('base64'),
  ])('A05: %s has 32 bytes and is no random key', (text) =>
    expect(() => parseSealKey(text)).toThrow(/not random/),
  );

  test('spare bits of the last character are refused: one text for each key', () => {
    const text = Buffer.from(KEY).toString('base64url');
    expect(text.endsWith('8')).toBe(true);
    expect(() => parseSealKey(`${text.slice(0, -1)}9`)).toThrow(/exactly 32/);
  });
});
