import {
  createHmac,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  sign,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  JwsError,
  MAX_TOKEN_LENGTH,
  createSigner,
  signJws,
  verifyJws,
} from '../../src/crypto/jws.ts';
import type { JwsKey } from '../../src/crypto/jws.ts';
import { LONG_TOKENS } from './long-tokens.ts';

const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const key: JwsKey = { kid: 'k1', alg: 'ES256', signKey: ec.privateKey, verifyKey: ec.publicKey };
const secret: JwsKey = { kid: 's1', alg: 'HS256', ...both(createSecretKey(Buffer.alloc(32, 7))) };
const keys = new Map([key, secret].map((k) => [k.kid, k]));
const lookup = (kid: string): JwsKey | undefined => keys.get(kid);

function both(one: KeyObject): { signKey: KeyObject; verifyKey: KeyObject } {
  return { signKey: one, verifyKey: one };
}

const b64 = (text: string | Buffer): string => Buffer.from(text).toString('base64url');

/** A token with any header and payload text, rightly signed. */
function forge(
  header: string | Buffer,
  payload: string | Buffer = '{"sub":"u"}',
  privateKey: KeyObject = ec.privateKey,
): string {
  const input = `${b64(header)}.${b64(payload)}`;
  return `${input}.${b64(sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }))}`;
}

function refusal(token: string, typ = 'at+jwt', find = lookup): string {
  try {
    verifyJws(token, typ, find);
  } catch (error) {
    // Whatever comes in, nothing but a JwsError comes out.
    if (error instanceof JwsError) return error.code;
    throw error;
  }
  throw new Error('accepted');
}

const GOOD = '{"alg":"ES256","kid":"k1","typ":"at+jwt"}';

describe('compact JWS', () => {
  test('a token that is signed here verifies here, with its claims', () => {
    for (const signer of [key, secret])
      expect(verifyJws(signJws(signer, 'at+jwt', { sub: 'ü', n: [1] }), 'at+jwt', lookup)).toEqual({
        sub: 'ü',
        n: [1],
      });
    expect(verifyJws(forge(GOOD), 'at+jwt', lookup)).toEqual({ sub: 'u' });
  });

  test.each(['none', 'None', 'nOnE', 'NONE', '', 'es256', 'ES256 ', 'HS256', 'ES384', 'Ed25519'])(
    'J01, J02, R1: alg %j is not the key’s',
    (alg) => {
      expect(refusal(forge(JSON.stringify({ alg, kid: 'k1', typ: 'at+jwt' })))).toBe('unknown_key');
    },
  );

  test.each(['null', '0', '["ES256"]', '{"a":1}', 'true'])('J01: alg %s is malformed', (alg) => {
    expect(refusal(forge(`{"alg":${alg},"kid":"k1","typ":"at+jwt"}`))).toBe('malformed');
  });

  test('J01: alg missing is malformed; so is a token without signature or its dot', () => {
    expect(refusal(forge('{"kid":"k1","typ":"at+jwt"}'))).toBe('malformed');
    const [header, payload] = forge(GOOD).split('.');
    for (const text of [
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}..x`,
      `.${payload}.x`,
      '..',
      '',
      '.',
      'a.b.c.d',
      'a.b.c.d.e',
    ]) {
      expect(refusal(text)).toBe('malformed');
    }
    expect(refusal(`${header}.${payload}.${b64(Buffer.alloc(64, 5))}`)).toBe('bad_signature');
  });

  test('J02: a MAC under our public key, in any of its texts, is no signature', () => {
    const jwk = ec.publicKey.export({ format: 'jwk' });
    const pem = ec.publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const der = ec.publicKey.export({ format: 'der', type: 'spki' });
    for (const mac of [
      pem,
      pem.trim(),
      der,
      JSON.stringify(jwk),
      der.subarray(-65),
      Buffer.alloc(0),
    ]) {
      for (const kid of ['k1', 's1']) {
        const input = `${b64(`{"alg":"HS256","kid":"${kid}","typ":"at+jwt"}`)}.${b64('{}')}`;
        expect(['unknown_key', 'bad_signature']).toContain(
          refusal(`${input}.${b64(createHmac('sha256', mac).update(input).digest())}`),
        );
      }
    }
  });

  test('J02: a key whose halves do not fit its alg verifies nothing and signs nothing', () => {
    const confused: JwsKey = { kid: 'k1', alg: 'HS256', verifyKey: ec.publicKey };
    expect(
      refusal(forge('{"alg":"HS256","kid":"k1","typ":"at+jwt"}'), 'at+jwt', () => confused),
    ).toBe('unknown_key');
    expect(() => createSigner({ ...confused, signKey: ec.privateKey }, 'at+jwt')).toThrow(
      TypeError,
    );
    expect(() => createSigner({ ...key, alg: 'ES384' }, 'at+jwt')).toThrow(
      /not a key on secp384r1/,
    );
    expect(() =>
      createSigner({ ...key, signKey: createPublicKey(ec.privateKey) }, 'at+jwt'),
    ).toThrow(/public/);
    expect(() =>
      createSigner({ kid: 'k1', alg: 'ES256', verifyKey: ec.publicKey }, 'at+jwt'),
    ).toThrow(/no private half/);
  });

  test('ASVS 11.2.3: RSA below 3072 bits and HMAC secrets below 256 are refused', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 2048 });
    expect(() =>
      createSigner(
        { kid: 'r', alg: 'RS256', signKey: small.privateKey, verifyKey: small.publicKey },
        't',
      ),
    ).toThrow(/3072/);
    expect(() =>
      createSigner({ kid: 'h', alg: 'HS256', ...both(createSecretKey(Buffer.alloc(31, 1))) }, 't'),
    ).toThrow(/256 bits/);
  });

  test.each([
    'jwk',
    'jku',
    'x5u',
    'x5c',
    'x5t',
    'crit',
    'b64',
    'zip',
    'enc',
    'cty',
    'p2c',
    'iss',
    'constructor',
    'toString',
  ])('J03, J05, R1: a header with %s is malformed, however well signed', (name) => {
    for (const value of ['{}', '"https://attacker.example/"', '["b64"]', '[]', 'false', 'null']) {
      expect(refusal(forge(`{"alg":"ES256","kid":"k1","typ":"at+jwt","${name}":${value}}`))).toBe(
        'malformed',
      );
    }
  });

  test.each([
    '../../dev/null',
    "' OR 1=1--",
    '',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    'K1',
    'k1 ',
    's1',
    'k2',
  ])('J04: kid %j names no key of this alg', (kid) => {
    expect(refusal(forge(JSON.stringify({ alg: 'ES256', kid, typ: 'at+jwt' })))).toBe(
      'unknown_key',
    );
  });

  test.each(['1', 'null', '["k1"]', '{"k1":1}', 'true'])('J04: kid %s is malformed', (kid) => {
    expect(refusal(forge(`{"alg":"ES256","kid":${kid},"typ":"at+jwt"}`))).toBe('malformed');
  });

  test('J04, J13: a retired key is gone at once, though its header was seen a moment ago', () => {
    const token = signJws(key, 'at+jwt', { sub: 'u' });
    const live = new Map([[key.kid, key]]);
    expect(verifyJws(token, 'at+jwt', (kid) => live.get(kid))).toEqual({ sub: 'u' });
    live.delete(key.kid);
    expect(refusal(token, 'at+jwt', (kid) => live.get(kid))).toBe('unknown_key');
    // And its name given to another key does not revive it.
    const next = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(refusal(token, 'at+jwt', () => ({ ...key, verifyKey: next.publicKey }))).toBe(
      'bad_signature',
    );
    expect(refusal(token, 'at+jwt', () => ({ ...secret, kid: 'k1' }))).toBe('unknown_key');
    expect(refusal(token, 'at+jwt', () => ({ ...key, kid: 'other' }))).toBe('unknown_key');
  });

  test('J07, R4: each typ verifies as itself alone, exactly spelled', () => {
    const types = [
      'at+jwt',
      'rt+jwt',
      'challenge+jwt',
      'statuslist+jwt',
      'JWT',
      'jwt',
      'AT+JWT',
      'at+JWT',
      'application/at+jwt',
      'at+jwt ',
      '',
    ];
    for (const signed of types) {
      const token = signJws(secret, signed, {});
      for (const expected of types) {
        if (signed === expected) expect(verifyJws(token, expected, lookup)).toEqual({});
        else expect(refusal(token, expected)).toBe('unexpected_type');
      }
    }
    expect(refusal(forge('{"alg":"ES256","kid":"k1"}'))).toBe('unexpected_type');
    expect(refusal(forge('{"alg":"ES256","kid":"k1","typ":["at+jwt"]}'))).toBe('malformed');
  });

  test('J07: a key that is for one kind of token signs and verifies no other', () => {
    const only: JwsKey = { ...secret, typ: ['rt+jwt'] };
    expect(verifyJws(signJws(only, 'rt+jwt', {}), 'rt+jwt', () => only)).toEqual({});
    expect(() => signJws(only, 'at+jwt', {})).toThrow(TypeError);
    expect(refusal(signJws(secret, 'at+jwt', {}), 'at+jwt', () => only)).toBe('unknown_key');
  });

  test('J06: zero, oversized, DER and cut signatures are refused', () => {
    const n = Buffer.from(
      'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
      'hex',
    );
    const nPlusOne = Buffer.from(
      'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552',
      'hex',
    );
    const one = Buffer.concat([Buffer.alloc(31), Buffer.from([1])]);
    const input = `${b64(GOOD)}.${b64('{}')}`;
    const good = sign('sha256', Buffer.from(input), {
      key: ec.privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    const der = sign('sha256', Buffer.from(input), ec.privateKey);
    const values = [
      Buffer.alloc(32),
      one,
      n,
      nPlusOne,
      good.subarray(0, 32),
      good.subarray(32),
      Buffer.alloc(32, 255),
    ];
    const pairs = values
      .flatMap((r) => values.map((s) => Buffer.concat([r, s])))
      .filter((pair) => !pair.equals(good));
    const others = [
      der,
      good.subarray(0, 63),
      Buffer.concat([good, Buffer.alloc(1)]),
      Buffer.concat([Buffer.alloc(1), good]),
      good.subarray(0, 1),
      Buffer.concat([good, good]),
    ];
    for (const signature of [...pairs, ...others])
      expect(refusal(`${input}.${b64(signature)}`)).toBe('bad_signature');
    expect(verifyJws(`${input}.${b64(good)}`, 'at+jwt', lookup)).toEqual({});
  });

  test('J06: an Ed25519 signature with S + L, cut or lengthened is refused', () => {
    const ed = generateKeyPairSync('ed25519');
    const edKey: JwsKey = {
      kid: 'e',
      alg: 'EdDSA',
      signKey: ed.privateKey,
      verifyKey: ed.publicKey,
    };
    const token = signJws(edKey, 't', {});
    const at = token.lastIndexOf('.') + 1;
    const signature = Buffer.from(token.slice(at), 'base64url');
    const order = Buffer.from(
      'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010',
      'hex',
    );
    const malleated = Buffer.from(signature);
    let carry = 0;
    for (let n = 0; n < 32; n += 1) {
      const sum = (signature[32 + n] ?? 0) + (order[n] ?? 0) + carry;
      malleated[32 + n] = sum & 255;
      carry = sum >> 8;
    }
    for (const bad of [
      malleated,
      signature.subarray(0, 63),
      Buffer.concat([signature, Buffer.alloc(1)]),
      Buffer.alloc(64),
    ]) {
      expect(refusal(token.slice(0, at) + b64(bad), 't', () => edKey)).toBe('bad_signature');
    }
  });

  test.each([
    ['{"alg":"ES256","kid":"k1","typ":"at+jwt","alg":"ES256"}', '{}'],
    ['{"alg":"none","\\u0061lg":"ES256","kid":"k1","typ":"at+jwt"}', '{}'],
    [GOOD, '{"sub":"a","sub":"b"}'],
    [GOOD, '{"sub":"a","s\\u0075b":"b"}'],
    [GOOD, '{"a":{"b":1,"b":2}}'],
  ])('J09, R2: %s %s names a member twice', (header, payload) =>
    expect(refusal(forge(header, payload))).toBe('malformed'),
  );

  test.each([
    '[]',
    '"x"',
    '1',
    'null',
    'true',
    '{',
    '',
    ' ',
    '{"a":1}x',
    '\ufeff{}',
    '{"__proto__":{}}',
    '{"a":"\\u0000"}',
    '{"a":"\\ud800"}',
    '[[[[[[[[[]]]]]]]]]',
  ])('J09, T4: payload %j is no JSON object that we take', (payload) =>
    expect(refusal(payload === '' ? `${b64(GOOD)}..AA` : forge(GOOD, payload))).toBe('malformed'),
  );

  test.each([
    '[]',
    '"x"',
    'null',
    '{',
    '[{"alg":"ES256"}]',
    '\ufeff{"alg":"ES256","kid":"k1","typ":"at+jwt"}',
    '{"alg":{"alg":{}},"kid":"k1","typ":"at+jwt"}',
  ])('J10: header %j is malformed', (header) => expect(refusal(forge(header))).toBe('malformed'));

  test('T4: bytes that are no UTF-8 are malformed in header and payload', () => {
    const broken = (text: string): Buffer =>
      Buffer.concat([
        Buffer.from(text.slice(0, -2)),
        Buffer.from([0xff]),
        Buffer.from(text.slice(-2)),
      ]);
    expect(refusal(forge(broken(GOOD)))).toBe('malformed');
    expect(refusal(forge(GOOD, broken('{"sub":"u"}')))).toBe('malformed');
    // An overlong NUL, and a surrogate in CESU-8.
    expect(refusal(forge(GOOD, Buffer.from([0x22, 0xc0, 0x80, 0x22])))).toBe('malformed');
    expect(refusal(forge(GOOD, Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])))).toBe('malformed');
  });

  test('R2, J10: MAX_TOKEN_LENGTH characters are read, one more is not', () => {
    const padded = (length: number): string => {
      for (let n = 0; ; n += 1) {
        const token = signJws(secret, 'at+jwt', { p: 'x'.repeat(n) });
        if (token.length >= length) return token;
      }
    };
    const longest = padded(MAX_TOKEN_LENGTH - 1);
    expect(longest.length).toBeLessThanOrEqual(MAX_TOKEN_LENGTH);
    expect(verifyJws(longest, 'at+jwt', lookup)).toBeTypeOf('object');
    expect(refusal(padded(MAX_TOKEN_LENGTH + 1))).toBe('malformed');
    for (const text of LONG_TOKENS) expect(refusal(text)).toBe('malformed');
  });

  test('T1: spare bits in the last character of any part make a token malformed, not merely unsigned', () => {
    const token = signJws(secret, 'at+jwt', { sub: 'u' });
    const parts = token.split('.');
    let altered = 0;
    for (const [at, part] of parts.entries()) {
      for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
        const other = part.slice(0, -1) + char;
        const isTwin =
          other !== part && Buffer.from(other, 'base64url').equals(Buffer.from(part, 'base64url'));
        if (!isTwin) continue;
        altered += 1;
        expect(refusal(parts.with(at, other).join('.'))).toBe('malformed');
      }
    }
    expect(altered).toBeGreaterThan(0);
  });

  test('J11: a JSON serialisation, white space around a token and a list of tokens are malformed', () => {
    const token = forge(GOOD);
    const [header, payload, signature] = token.split('.');
    const texts = [
      JSON.stringify({ protected: header, payload, signature }),
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `${token},${token}`,
      `Bearer ${token}`,
      `${token}=`,
      `${token}\0`,
    ];
    for (const text of texts) expect(refusal(text)).toBe('malformed');
  });

  test('the message of a refusal carries nothing of the token', () => {
    expect(() =>
      verifyJws(forge('{"alg":"ES256","kid":"canary","typ":"at+jwt"}'), 'at+jwt', lookup),
    ).toThrow(/^token: unknown_key$/);
  });
});
