// Judges each line of standard input: accept or refuse. ISSUER=… AUDIENCE=… node verify.mjs
import { createInterface } from 'node:readline';
import { createVerifier } from '@postern/verifier';

const { ISSUER = '', AUDIENCE = '' } = process.env;
const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE });

for await (const token of createInterface({ input: process.stdin })) {
  const verdict = await verifier.verify(token).then(
    () => 'accept',
    () => 'refuse',
  );
  console.log(verdict);
}
verifier.close();
