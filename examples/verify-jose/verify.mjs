// Judges each line of standard input: accept or refuse. ISSUER=… AUDIENCE=… node verify.mjs
import { createInterface } from 'node:readline';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const { ISSUER = '', AUDIENCE = '' } = process.env;
const jwks = createRemoteJWKSet(new URL(`${ISSUER}/.well-known/jwks.json`));
const options = {
  issuer: ISSUER,
  audience: AUDIENCE,
  typ: 'at+jwt',
  algorithms: ['ES256'],
  requiredClaims: ['exp', 'sub'],
};

for await (const token of createInterface({ input: process.stdin })) {
  const verdict = await jwtVerify(token, jwks, options).then(
    () => 'accept',
    () => 'refuse',
  );
  console.log(verdict);
}
