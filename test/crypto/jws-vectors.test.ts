/**
 * Fixed vectors of the RFCs, against the primitives: their headers have no `kid` and no `typ`,
 * which our tokens must have.
 */
import { createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import type { JsonWebKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { splitCompact, verifyJws } from '../../src/crypto/jws.ts';
import { signBytes, verifyBytes } from '../../src/crypto/jws-signature.ts';

const PAYLOAD =
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
const A1 = `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`;
const A1_KEY = createSecretKey(
  Buffer.from(
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    'base64url',
  ),
);
const A2 =
  `eyJhbGciOiJSUzI1NiJ9.${PAYLOAD}.` +
  'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4' +
  'BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqv' +
  'hJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw';
const A2_KEY = {
  kty: 'RSA',
  e: 'AQAB',
  n:
    'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSH' +
    'SXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
};
const A3 = `eyJhbGciOiJFUzI1NiJ9.${PAYLOAD}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`;
const A3_KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};
const ED =
  'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg';
const ED_KEY = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
const ED_PRIVATE = { ...ED_KEY, d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A' };

const pub = (key: JsonWebKey) => createPublicKey({ key, format: 'jwk' });

describe('RFC vectors', () => {
  test.each([
    ['RFC 7515 A.1', 'HS256', A1, A1_KEY],
    ['RFC 7515 A.2', 'RS256', A2, pub(A2_KEY)],
    ['RFC 7515 A.3', 'ES256', A3, pub(A3_KEY)],
    ['RFC 8037 A.4', 'EdDSA', ED, pub(ED_KEY)],
  ] as const)('%s verifies as %s, and not with one bit changed', (_, alg, token, key) => {
    const { input, signature } = splitCompact(token);
    expect(verifyBytes(alg, key, input, signature)).toBe(true);
    for (const at of [0, 31, signature.length - 1]) {
      const altered = Buffer.from(signature);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(verifyBytes(alg, key, input, altered)).toBe(false);
    }
    expect(verifyBytes(alg, key, input.subarray(1), signature)).toBe(false);
  });

  test('RFC 7515 A.1 and RFC 8037 A.4: what is deterministic is signed to the byte', () => {
    const hmac = splitCompact(A1);
    expect(signBytes('HS256', A1_KEY, hmac.input)).toEqual(hmac.signature);
    const ed = splitCompact(ED);
    expect(
      signBytes('EdDSA', createPrivateKey({ key: ED_PRIVATE, format: 'jwk' }), ed.input),
    ).toEqual(ed.signature);
  });

  test('R4: none of them is a token of ours: they have no typ of ours and no kid', () => {
    for (const token of [A1, A2, A3, ED])
      expect(() => verifyJws(token, 'at+jwt', () => undefined)).toThrow(/^token: malformed$/);
  });
});
