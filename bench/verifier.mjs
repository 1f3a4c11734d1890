/**
 * `@postern/verifier` beside bare `jose.jwtVerify` with the same expectations and an imported key:
 * tokens that are new to it, and tokens that it has seen. Issuer, keys and status list are at hand,
 * so that no fetch is measured. It is bundled on the fly, since Node 20 runs no TypeScript.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { deflateSync } from 'node:zlib';
import { build } from 'esbuild';
import { SignJWT, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { answerJobs } from './jobs.mjs';
import { median } from './bars.mjs';

const ISSUER = 'https://auth.example.com';
const AUDIENCE = 'https://api.example.com';
const TOKENS = 1_000;
/** Tokens that each of the two has in its turn. */
const TURN = 25;
const SEEN_PASSES = 20;
const SESSIONS = 65_536;

const root = fileURLToPath(new URL('..', import.meta.url));
// Inside the checkout, so that the bundle finds jose.
const bundle = mkdtempSync(join(root, 'node_modules', '.bench-verifier-'));
process.on('exit', () => rmSync(bundle, { recursive: true, force: true }));
await build({
  entryPoints: [join(root, 'packages/verifier/src/index.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  outfile: join(bundle, 'verifier.mjs'),
});
/** @type {typeof import('@postern/verifier')} */
const { createVerifier } = await import(pathToFileURL(join(bundle, 'verifier.mjs')).href);

const { privateKey, publicKey } = await generateKeyPair('ES256');
const kid = 'bench';
const jwks = JSON.stringify({
  keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }],
});
const uri = `${ISSUER}/status-lists/0`;

/** @param {string} typ @param {Record<string, unknown>} claims */
const sign = (typ, claims) =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid, typ })
    .setIssuer(ISSUER)
    .setIssuedAt()
    .setExpirationTime('15m')
    .sign(privateKey);

const list = await sign('statuslist+jwt', {
  sub: uri,
  ttl: 3_600,
  status_list: { bits: 1, lst: deflateSync(Buffer.alloc(SESSIONS / 8)).toString('base64url') },
});

const options = { issuer: ISSUER, audience: AUDIENCE, typ: 'at+jwt', algorithms: ['ES256'] };
const verifier = createVerifier({
  issuer: ISSUER,
  audience: AUDIENCE,
  fetch: async (url) => new Response(url === uri ? list : jwks),
});

/** Claims as postern writes them. @param {number} n */
const token = (n) => {
  const now = Math.floor(Date.now() / 1_000);
  return sign('at+jwt', {
    sub: '01a1fe1f-4f57-71f1-8260-39b2a9e7b97e',
    aud: AUDIENCE,
    client_id: 'postern',
    nbf: now,
    jti: `${now}.${n}.${Math.random()}`,
    sid: '01a1fe1f-4f57-71f1-8260-000000000001',
    auth_time: now,
    amr: ['pwd'],
    acr: 'aal1',
    status: { status_list: { idx: n % SESSIONS, uri } },
  });
};

/**
 * Microseconds for each token, one after another.
 *
 * @param {readonly string[]} tokens
 * @param {(token: string) => Promise<unknown>} judge
 */
async function cost(tokens, judge) {
  const start = performance.now();
  for (const one of tokens) await judge(one);
  return ((performance.now() - start) * 1_000) / tokens.length;
}

const bare = (/** @type {string} */ one) => jwtVerify(one, publicKey, options);
const ours = (/** @type {string} */ one) => verifier.verify(one);

async function round() {
  const tokens = await Promise.all(Array.from({ length: TOKENS }, (_, n) => token(n)));
  /** @type {{ bare: number, cold: number }[]} */
  const turns = [];
  for (let at = 0; at < TOKENS; at += TURN) {
    const some = tokens.slice(at, at + TURN);
    turns.push({ bare: await cost(some, bare), cold: await cost(some, ours) });
  }
  const passes = [];
  for (let pass = 0; pass < SEEN_PASSES; pass++) passes.push(await cost(tokens, ours));
  return {
    bare: median(turns.map((turn) => turn.bare)),
    cold: median(turns.map((turn) => turn.cold)),
    seen: median(passes),
  };
}

await round();
answerJobs(round);
