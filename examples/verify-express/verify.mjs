// Judges each line of standard input: accept or refuse. ISSUER=… AUDIENCE=… node verify.mjs
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import express from 'express';
import { createVerifier } from '@postern/verifier';
import { requireUser } from '@postern/verifier/express';

const { ISSUER = '', AUDIENCE = '' } = process.env;
const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE });

const app = express();
app.use('/api', requireUser(verifier));
app.get('/api/me', (_req, res) => void res.json({ user: res.locals.auth.sub }));

// A service does no more than this: app.listen(3000). What follows asks it.
const server = app.listen(0, '127.0.0.1');
await once(server, 'listening');
const address = server.address();
const port = typeof address === 'object' && address !== null ? address.port : 0;
for await (const token of createInterface({ input: process.stdin })) {
  const headers = { authorization: `Bearer ${token}` };
  const { status } = await fetch(`http://127.0.0.1:${port}/api/me`, { headers });
  console.log(status === 200 ? 'accept' : 'refuse');
}
server.close();
verifier.close();
