/**
 * The code on the pages of docs/, as it stands there, against the built program: every block of sh,
 * js, ts and toml runs, but for those that the source marks `<!-- not run -->`. docs/api has a test
 * of its own.
 */
import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { parseConfig } from '../../src/config/parse.ts';
import { launchChromium } from '../support/browser.ts';
import { codeAt } from '../support/mfa.ts';
import { freePort, isMissing } from '../support/peers.ts';
import { COMMAND } from '../support/program.mjs';
import { PASSWORD, environment, eventually, startServer } from '../support/process.ts';
import type { Server } from '../support/process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

interface Block {
  readonly language: string;
  readonly text: string;
  /** What a comment before it says. */
  readonly mark: string;
}

function blocksOf(path: string): readonly Block[] {
  const page = readFileSync(join(ROOT, 'docs', path), 'utf8');
  return [...page.matchAll(/(?:<!-- ([^>]*?) -->\n)?^```(\w+)\n([\s\S]*?)^```$/gm)].map(
    ([, mark = '', language = '', text = '']) => ({ mark, language, text }),
  );
}

const PAGES = readdirSync(join(ROOT, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .filter((name) => blocksOf(name).length > 0);

const isBrowser = ({ mark }: Block): boolean => mark === 'in a browser';
const isRun = ({ language, mark }: Block): boolean =>
  ['sh', 'js', 'ts'].includes(language) && mark !== 'not run';

test('every block is of a kind that a test looks at', () => {
  const marks = ['', 'not run', 'in a browser', 'after an email', 'webhook', 'warns'];
  for (const page of PAGES)
    for (const { language, mark } of blocksOf(page)) {
      expect([page, language]).toEqual([page, expect.stringMatching(/^(?:sh|js|ts|toml|json)$/)]);
      expect([page, marks.includes(mark)]).toEqual([page, true]);
    }
});

test.each(PAGES)('%s: its JSON is JSON, and its settings are settings', (page) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const ofApple = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
  const secretAt = (path: string): string => {
    if (path.endsWith('.p8')) return ofApple;
    return path.includes('dkim') ? pem : randomBytes(32).toString('base64url');
  };
  for (const { language, text, mark } of blocksOf(page)) {
    if (language === 'json') JSON.parse(text);
    if (language !== 'toml') continue;
    const { warnings } = parseConfig({
      file: { path: page, text, isReadableByOthers: false },
      env: {},
      readSecretFile: (path) => ({
        text: secretAt(path),
        isReadableByOthers: false,
      }),
    });
    expect([page, warnings]).toEqual([page, mark === 'warns' ? [expect.any(String)] : []]);
  }
});

describe.skipIf(isMissing('curl') || isMissing('chromium'))('the code of a page', () => {
  const open: { stop(): unknown }[] = [];
  afterAll(async () => {
    for (const one of open.reverse()) await one.stop();
  });
  let browser: Browser | undefined;

  test.each(PAGES.filter((page) => blocksOf(page).some(isRun)))('%s runs', async (page) => {
    const blocks = blocksOf(page).filter(isRun);
    const [port, metricsPort] = [await freePort(), await freePort()];
    const pages = createServer((request, response) => {
      const isScript = request.url === '/page.js';
      response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
      response.end(isScript ? script : '<!doctype html><title>page</title>');
    });
    let script = '';
    const origin = `http://localhost:${await freePort(pages)}`;
    const host = blocks.some(isBrowser) ? 'localhost' : '127.0.0.1';
    const env = {
      POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${port}`,
      POSTERN_SERVER_PUBLIC_URL: `http://${host}:${port}`,
      POSTERN_METRICS_LISTEN: `tcp://127.0.0.1:${metricsPort}`,
      POSTERN_SMS_COUNTRIES: 'DE',
      POSTERN_OTP_SMS_ENABLED: 'true',
      POSTERN_COOKIES_ENABLED: 'true',
      POSTERN_COOKIES_ALLOWED_ORIGINS: origin,
      ...(host === 'localhost' ? { POSTERN_PASSKEYS_ORIGINS: origin } : {}),
    };
    const server = await startServer({ env });
    open.push(server, { stop: () => pages.close().closeAllConnections() });
    const values = await prepare(page, server);
    const placed = (text: string): string => {
      let made = text
        .replaceAll(/(127\.0\.0\.1|localhost):7400/g, `$1:${port}`)
        .replaceAll('127.0.0.1:7401', `127.0.0.1:${metricsPort}`)
        .replaceAll('http://localhost:5173', origin)
        .replaceAll(/\/(?:var\/backups|etc\/postern)\//g, `${server.directory}/`);
      for (const [name, value] of values)
        made = made.replaceAll(new RegExp(`(["':])${name}(?=["':])`, 'g'), `$1${value}`);
      return made;
    };

    for (const block of blocks) {
      if (isBrowser(block)) continue;
      if (block.mark === 'after an email') await receiveEmail(server);
      const stdout =
        block.language === 'sh'
          ? await runShell(placed(block.text), server, env)
          : await runNode(placed(block.text), values);
      learn(values, stdout);
    }
    const inBrowser = blocks.filter(isBrowser).map(({ text }) => placed(text));
    if (inBrowser.length === 0) return;
    script = await bundle(
      inBrowser
        .join('\n')
        .replaceAll(/\bNEXT_CODE\b/g, '(await totp(secret, 30_000))')
        .replaceAll(/\bCODE\b/g, '(await totp(secret, 0))'),
    );
    if (browser === undefined) {
      browser = await launchChromium();
      open.push({ stop: () => browser?.close() });
    }
    await runInBrowser(browser, origin);
  });
});

/** The accounts and tokens that a page speaks of. */
async function prepare(page: string, server: Server): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  // The quickstart registers by itself.
  if (page === 'quickstart.md') return values;
  const ada = await server.register('ada', PASSWORD);
  values.set('ACCESS_TOKEN', ada.access).set('REFRESH_TOKEN', ada.refresh);
  if (page !== 'second-factor.md') return values;
  const { body } = await server.call('POST', '/me/totp', { token: ada.access });
  const now = Date.now();
  await server.call('POST', '/me/totp/confirm', {
    token: ada.access,
    body: { code: codeAt(body.secret, now) },
  });
  return values.set('TOTP_CODE', codeAt(body.secret, now + 30_000));
}

async function receiveEmail(server: Server): Promise<void> {
  const body = { email: 'ada@example.com', password: PASSWORD };
  await server.call('POST', '/register', { body });
  await eventually(async () => (await server.cli(['mail', 'show'])).code === 0, 20_000);
}

/** What an answer gave, for the blocks below. */
function learn(values: Map<string, string>, stdout: string): void {
  const [, id, secret] = /^([\w-]+):([\w-]+)$/m.exec(stdout) ?? [];
  if (id !== undefined && secret !== undefined) values.set('KEY_ID', id).set('KEY_SECRET', secret);
  for (const line of stdout.split('\n').filter((one) => one.startsWith('{')))
    for (const [name, value] of Object.entries(JSON.parse(line)))
      if (typeof value === 'string') values.set(name.toUpperCase(), value);
}

/** @throws with what it said, when a command fails or an answer is no success */
async function runShell(
  text: string,
  server: Server,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const bin = join(server.directory, 'bin');
  mkdirSync(bin, { recursive: true });
  const quoted = COMMAND.map((word) => `'${word}'`).join(' ');
  writeFileSync(join(bin, 'postern'), `#!/bin/sh\nexec ${quoted} "$@"\n`);
  chmodSync(join(bin, 'postern'), 0o755);
  // Each command on its own line of output.
  const curl = 'curl() { command curl --fail-with-body "$@" && echo; }';
  const { stdout } = await run('bash', ['--norc', '-ec', `${curl}\n${text}`], {
    cwd: server.directory,
    env: {
      ...environment(env),
      HOME: server.directory,
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    },
  });
  return stdout;
}

async function bundle(text: string, platform: 'browser' | 'node' = 'browser'): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: text, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    platform,
    format: 'esm',
    alias: {
      '@postern/client': join(ROOT, 'packages/client/src/index.ts'),
      '@postern/verifier': join(ROOT, 'packages/verifier/src/index.ts'),
    },
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

async function runNode(text: string, values: ReadonlyMap<string, string>): Promise<string> {
  const globals = `Object.assign(globalThis, ${JSON.stringify(Object.fromEntries(values))});\n`;
  const code = await bundle(text, 'node');
  // A fetch that is refused is an example that does not work.
  const strict =
    'const own = fetch; globalThis.fetch = async (...given) => { const answer = await own(...given); if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`); return answer; };\n';
  const { stdout } = await run(process.execPath, [
    '--input-type=module',
    '--eval',
    globals + strict + code,
  ]);
  return stdout;
}

async function runInBrowser(browser: Browser, origin: string): Promise<void> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        ctap2Version: 'ctap2_1',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await page.exposeFunction('totp', (secret: string, later: number) =>
      codeAt(secret, Date.now() + later),
    );
    await page.goto(origin);
    await page.evaluate(`import('/page.js').then(() => undefined)`);
  } finally {
    await context.close();
  }
}
