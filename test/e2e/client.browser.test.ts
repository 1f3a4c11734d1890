/**
 * @postern/client in Chromium: two tabs, a page and a service on origins of their own, the
 * browser's own passkeys, a network that goes and comes back.
 */
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchChromium } from '../support/browser.ts';
import { freePort, isMissing } from '../support/peers.ts';
import { PASSWORD, startServer } from '../support/process.ts';
import type { Server } from '../support/process.ts';

/** Two clients of a page; the test calls them by name. */
const PAGE = `
import { createClient } from '../../packages/client/src/index.ts';
const bearer = createClient({ url: API, storage: localStorage });
const cookie = createClient({ url: API, cookie: true });
globalThis.clients = { bearer, cookie };
globalThis.things = async (name, count) => {
  const replies = await Promise.all(Array.from({ length: count }, () => clients[name].fetch('/things')));
  return replies.map(({ status }) => status);
};
`;

type Mode = 'bearer' | 'cookie';

describe.skipIf(isMissing('chromium'))('in Chromium', () => {
  let server: Server;
  let browser: Browser;
  let context: BrowserContext;
  let origin: string;
  let closePages: () => void;
  /** Access tokens that the page's own API refuses. */
  const dead = new Set<string>();
  let refreshes: number;

  const open = async (): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(origin);
    return page;
  };
  const call = (page: Page, mode: Mode, method: string, ...args: unknown[]): Promise<unknown> =>
    page.evaluate(
      ([name, called, given]) =>
        (
          globalThis as unknown as {
            clients: Record<string, Record<string, (...values: unknown[]) => Promise<unknown>>>;
          }
        ).clients[name]?.[called]?.(...given),
      [mode, method, args] as const,
    );
  const things = (page: Page, mode: Mode): Promise<number[]> =>
    page.evaluate(
      (name) =>
        (
          globalThis as unknown as { things(name: string, count: number): Promise<number[]> }
        ).things(name, 20),
      mode,
    );

  beforeAll(async () => {
    const pages = createServer((request, response) => {
      if (request.url === '/things') {
        const token = (request.headers.authorization ?? '').slice('Bearer '.length);
        response.writeHead(token === '' || dead.has(token) ? 401 : 200).end();
        return;
      }
      const isScript = request.url === '/front.js';
      response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
      response.end(
        isScript ? script : '<!doctype html><title>page</title><script src="/front.js"></script>',
      );
    });
    const port = await freePort(pages);
    closePages = () => void pages.close().closeAllConnections();
    origin = `http://localhost:${port}`;
    server = await startServer({
      env: {
        POSTERN_COOKIES_ENABLED: 'true',
        POSTERN_COOKIES_ALLOWED_ORIGINS: origin,
        POSTERN_PASSKEYS_ORIGINS: origin,
      },
    });
    const { outputFiles } = await build({
      stdin: { contents: PAGE, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
      bundle: true,
      format: 'iife',
      define: { API: JSON.stringify(server.url.replace('127.0.0.1', 'localhost')) },
      write: false,
      logLevel: 'error',
    });
    const script = outputFiles[0]?.text ?? '';
    browser = await launchChromium();
  });
  beforeEach(async () => {
    await context?.close();
    context = await browser.newContext();
    dead.clear();
    refreshes = 0;
    context.on('request', (request) => {
      if (request.method() === 'POST' && request.url().endsWith('/refresh')) refreshes++;
    });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    closePages?.();
  });

  test.each(['bearer', 'cookie'] as const)(
    '%s: two tabs, twenty parallel 401s in each: one refresh, and both have the new token',
    async (mode) => {
      const [one, two] = [await open(), await open()];
      await call(one, mode, 'register', { username: `tabs-${mode}`, password: PASSWORD });
      const token = String(await call(one, mode, 'accessToken'));
      await expect.poll(() => call(two, mode, 'accessToken'), { timeout: 20_000 }).toBe(token);
      refreshes = 0;
      dead.add(token);
      const replies = await Promise.all([things(one, mode), things(two, mode)]);
      expect(replies.flat().filter((status) => status === 200)).toHaveLength(40);
      expect(refreshes).toBe(1);
      const tokens = [await call(one, mode, 'accessToken'), await call(two, mode, 'accessToken')];
      expect(tokens[0]).toBe(tokens[1]);
      expect(tokens[0]).not.toBe(token);
    },
  );

  test('cookie mode on another origin: a page load has only the cookie, and signing out ends both tabs', async () => {
    const one = await open();
    await call(one, 'cookie', 'register', { username: 'loads', password: PASSWORD });
    await one.reload();
    expect(await call(one, 'cookie', 'me')).toMatchObject({ username: 'loads' });
    const two = await open();
    expect(await call(two, 'cookie', 'me')).toMatchObject({ username: 'loads' });
    await call(one, 'cookie', 'signOut');
    await expect.poll(() => call(two, 'cookie', 'accessToken'), { timeout: 20_000 }).toBeNull();
    expect(
      (await context.cookies(server.url))
        .filter(({ value }) => value !== '')
        .map(({ name }) => name),
    ).not.toContain('__Host-refresh');
  });

  test('cookie mode across sites: the page gets the reason, instead of losing the cookie silently', async () => {
    const page = await open();
    await server.register('across', PASSWORD);
    // The page is on localhost, and calls an address: two sites, though of one machine.
    const [status, detail] = await page.evaluate(
      async ([url, password]) => {
        const response = await fetch(`${url}/login`, {
          method: 'POST',
          credentials: 'include',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ username: 'across', password, cookie: true }),
        });
        const { detail: said } = (await response.json()) as { detail: string };
        return [response.status, said] as const;
      },
      [server.url, PASSWORD] as const,
    );
    expect([status, detail]).toEqual([403, expect.stringContaining('are different sites')]);
  });

  test.each(['bearer', 'cookie'] as const)(
    '%s, offline: the session is kept, and goes on when the network is back',
    async (mode) => {
      const page = await open();
      const username = `away-${mode}`;
      await call(page, mode, 'register', { username, password: PASSWORD });
      dead.add(String(await call(page, mode, 'accessToken')));
      await context.setOffline(true);
      await expect(call(page, mode, 'me')).rejects.toThrow();
      await expect(things(page, mode)).rejects.toThrow();
      await context.setOffline(false);
      expect(await things(page, mode)).toEqual(Array(20).fill(200));
      expect(await call(page, mode, 'me')).toMatchObject({ username });
    },
  );

  test('a passkey by the browser’s own API: added, and signed in with', async () => {
    const page = await open();
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
    await call(page, 'bearer', 'register', { username: 'keys', password: PASSWORD });
    expect(await call(page, 'bearer', 'addPasskey', 'Laptop')).toMatchObject({ name: 'Laptop' });
    await call(page, 'bearer', 'signOut');
    expect(await call(page, 'bearer', 'signInWithPasskey')).toMatchObject({
      status: 'authenticated',
    });
    await call(page, 'bearer', 'signOut');
    // Where the browser has no JSON of its own, the client's.
    await page.evaluate(() => {
      for (const name of ['parseCreationOptionsFromJSON', 'parseRequestOptionsFromJSON'])
        Reflect.deleteProperty(Reflect.get(globalThis, 'PublicKeyCredential'), name);
      Reflect.deleteProperty(Reflect.get(globalThis, 'PublicKeyCredential').prototype, 'toJSON');
    });
    expect(await call(page, 'bearer', 'signInWithPasskey', 'keys')).toMatchObject({
      status: 'authenticated',
    });
    expect(await call(page, 'bearer', 'me')).toMatchObject({ username: 'keys', mfa_enabled: true });
  });
});
