// Judges each line of standard input: accept or refuse. ISSUER=… AUDIENCE=… node verify.mjs
import { createInterface } from 'node:readline';
import { Hono } from 'hono';
import { createVerifier } from '@postern/verifier';
import { requireUser } from '@postern/verifier/hono';

const { ISSUER = '', AUDIENCE = '' } = process.env;
const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE });

/** @type {Hono<{ Variables: import('@postern/verifier/hono').AuthVariables }>} */
const app = new Hono();
app.use('/api/*', requireUser(verifier));
app.get('/api/me', (c) => c.json({ user: c.get('auth').sub }));

// A service does no more than this: serve(app). What follows asks it.
for await (const token of createInterface({ input: process.stdin })) {
  const { status } = await app.request('/api/me', {
    headers: { authorization: `Bearer ${token}` },
  });
  console.log(status === 200 ? 'accept' : 'refuse');
}
verifier.close();
