/**
 * Other people's libraries, as docs/verify-a-token.md lists them: against the conformance kit, and
 * with real tokens of the built server, under the algorithm that each of them knows.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIBRARIES } from '../../scripts/verifiers.mjs';
import type { Program } from '../../scripts/verifiers.mjs';
import { failedNames, lacks, startKit } from '../support/kit.ts';
import type { Kit } from '../support/kit.ts';
import { ISSUER, startServer } from '../support/process.ts';
import type { Server, SignedIn } from '../support/process.ts';

const FOLDER = fileURLToPath(new URL('../libraries/', import.meta.url));
const programs = LIBRARIES.filter(({ inCi }) => inCi);
const byName = (name: string): Program => {
  const found = programs.find((program) => program.name === name);
  if (found === undefined) throw new Error(`no program ${name}`);
  return found;
};

let kit: Kit;
beforeAll(async () => {
  kit = await startKit();
  for (const { needs, prepare } of programs) if (needs.isThere()) prepare?.();
});
afterAll(() => kit.stop());

describe.each(programs)('the kit: $label', (program) => {
  test.skipIf(lacks(program))('fails what the page says, and nothing else', async () => {
    expect(failedNames(await kit.play(program))).toEqual([...program.known].sort());
  });
});

/** What a program says of tokens of the built server. */
function verdicts(
  { command: [file, ...args], folder }: Program,
  env: Readonly<Record<string, string>>,
  tokens: readonly string[],
): Promise<readonly string[]> {
  const child = spawn(file, args, {
    cwd: folder,
    env: { ...process.env, ISSUER, AUDIENCE: 'postern', ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.end(tokens.map((token) => `${token}\n`).join(''));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  return new Promise((resolve) => child.once('close', () => resolve(lines)));
}

describe.each(['ES256', 'RS256'] as const)('real tokens, %s', (algorithm) => {
  let server: Server;
  let ada: SignedIn;
  let env: Record<string, string>;
  beforeAll(async () => {
    server = await startServer({ env: { POSTERN_TOKENS_ALGORITHM: algorithm } });
    ada = await server.register('ada');
    env = { ALGORITHM: algorithm, JWKS_URI: `${server.url}/.well-known/jwks.json` };
  });
  afterAll(() => server.stop());

  const altered = (): string => {
    const [head, payload, signature = ''] = ada.access.split('.');
    return `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  };

  // get-jwks asks the issuer itself, whose address is a name here: the kit tries those two.
  const reachable = programs.filter(({ name }) => name !== 'fast-jwt' && name !== 'fastify-jwt');
  test.each(reachable)('$label', async (program) => {
    if (lacks(program)) return;
    const { knows = 'ES256' } = program;
    const good = knows === 'ES256' || algorithm === 'RS256' ? 'accept' : 'refuse';
    const tokens = [ada.access, altered(), ada.refresh];
    expect(await verdicts(program, env, tokens)).toEqual([good, 'refuse', 'refuse']);
  });

  const hono = byName('hono-jwk');
  test.skipIf(lacks(hono))("hono's jwk takes no access token until it is told of typ", async () => {
    const bare: Program = { ...hono, command: ['node', 'judges.mjs', 'hono-jwk-bare'] };
    expect(await verdicts(bare, env, [ada.access])).toEqual(['refuse']);
  });
});

describe.skipIf(lacks(byName('authlib')))('Authlib validates the metadata', () => {
  /** What validate() said of both documents. */
  const validated = async (env: Record<string, string>): Promise<readonly string[]> => {
    const server = await startServer({ env: { POSTERN_MAIL_TRANSPORTS: 'file', ...env } });
    const said = ['oauth-authorization-server', 'openid-configuration'].map((name) => {
      const args = ['judges.py', 'authlib-metadata', `${server.url}/.well-known/${name}`];
      const run = spawnSync('/usr/bin/python3', args, { cwd: FOLDER, encoding: 'utf8' });
      return run.status === 0 ? 'valid' : (run.stderr.trim().split('\n').at(-1) ?? '');
    });
    await server.stop();
    return said;
  };

  test.each(['https://auth.example.com', 'https://example.com/auth'])('of %s', async (issuer) => {
    const env = { POSTERN_SERVER_PUBLIC_URL: issuer };
    expect(await validated({ ...env, POSTERN_TOKENS_ALGORITHM: 'RS256' })).toEqual([
      'valid',
      'valid',
    ]);
    // Discovery §3 wants RS256 of every issuer of ID tokens; postern issues none, and says no more
    // than it signs with.
    expect(await validated(env)).toEqual([
      'valid',
      expect.stringMatching(/"RS256" MUST be included in "id_token_signing_alg_values_supported"/),
    ]);
  });
});
