// node examples/verify.mjs TOKEN: all that a sibling service needs. ISSUER, JWKS_URL, AUDIENCE and
// ALGORITHM override what is written here.
import { createRemoteJWKSet, jwtVerify } from 'jose';

const { ISSUER: issuer = 'http://127.0.0.1:7400', AUDIENCE: audience = 'postern' } = process.env;
const { JWKS_URL = `${issuer}/.well-known/jwks.json`, ALGORITHM = 'ES256' } = process.env;
const options = { issuer, audience, typ: 'at+jwt', algorithms: [ALGORITHM] };
const keys = createRemoteJWKSet(new URL(JWKS_URL));
console.log((await jwtVerify(process.argv[2] ?? '', keys, options)).payload);
