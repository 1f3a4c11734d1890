// Judges each line of standard input: accept or refuse. ISSUER=… AUDIENCE=… node verify.mjs
import { createInterface } from 'node:readline';
import jsonwebtoken from 'jsonwebtoken';
import jwksRsa from 'jwks-rsa';

const { ISSUER = '', AUDIENCE = '' } = process.env;
const keys = jwksRsa({ jwksUri: `${ISSUER}/.well-known/jwks.json`, cache: true, rateLimit: true });
/** @type {import('jsonwebtoken').VerifyOptions & { complete: true }} */
const options = { issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], complete: true };

/** @type {(token: string) => Promise<void>} */
async function verify(token) {
  const header = jsonwebtoken.decode(token, { complete: true })?.header;
  const key = await keys.getSigningKey(header?.kid);
  const { header: verified, payload } = jsonwebtoken.verify(token, key.getPublicKey(), options);
  // The library checks neither of these.
  if (verified.typ !== 'at+jwt') throw new Error('no access token');
  if (typeof payload === 'string' || payload.exp === undefined) throw new Error('no exp');
}

for await (const token of createInterface({ input: process.stdin })) {
  const verdict = await verify(token).then(
    () => 'accept',
    () => 'refuse',
  );
  console.log(verdict);
}
