// node examples/verify.mjs TOKEN: all that a sibling service needs. ISSUER, JWKS_URL, AUDIENCE and
// ALGORITHM override what is written here.
import { createRemoteJWKSet, jwtVerify } from 'jose';

const {
  ISSUER = 'http://127.0.0.1:7400',
  JWKS_URL = `${ISSUER}/.well-known/jwks.json`,
  AUDIENCE = 'postern',
  ALGORITHM = 'ES256',
} = process.env;
const options = { issuer: ISSUER, audience: AUDIENCE, typ: 'at+jwt', algorithms: [ALGORITHM] };
const { payload } = await jwtVerify(
  process.argv[2] ?? '',
  createRemoteJWKSet(new URL(JWKS_URL)),
  options,
);
console.log(payload);
