// Judges each line of standard input: accept or refuse. ISSUER=… AUDIENCE=… node verify.mjs
import { createInterface } from 'node:readline';
import fastify from 'fastify';
import { createVerifier } from '@postern/verifier';
import { requireUser } from '@postern/verifier/fastify';

const { ISSUER = '', AUDIENCE = '' } = process.env;
const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE });

const app = fastify();
app.decorateRequest('auth', null);
app.addHook('onRequest', requireUser(verifier));
app.get('/me', (request) => ({
  user: request.auth?.sub,
}));

// A service does no more than this: app.listen({ port: 3000 }). What follows asks it.
for await (const token of createInterface({ input: process.stdin })) {
  const headers = { authorization: `Bearer ${token}` };
  const { statusCode } = await app.inject({ url: '/me', headers });
  console.log(statusCode === 200 ? 'accept' : 'refuse');
}
await app.close();
verifier.close();
