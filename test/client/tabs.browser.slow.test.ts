/**
 * Parallel refreshes of real Chromium tabs in cookie mode: the browser's cookie jar moves on while
 * older requests are under way, and no session may be lost by it. What pages send that don't use
 * our client: bare fetch, axios-auth-refresh, and a naive client that refreshes at each 401.
 * POSTERN_TAB_ROUNDS=200 is the long form (npm run test:tabs).
 */
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { launchChromium } from '../support/browser.ts';
import { freePort, isMissing } from '../support/peers.ts';

const ROUNDS = Number(process.env['POSTERN_TAB_ROUNDS'] ?? 12);
const TABS = 8;
const PARALLEL = 20;
/** More than the grace: each round rotates. */
const LATER_MS = 11_000;
/** More than an access token's life. */
const EXPIRED_MS = 16 * 60_000;

const PAGE = `
import axios from 'axios';
import { createAuthRefresh } from 'axios-auth-refresh';

const post = (path, body) =>
  fetch(API + path, { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
const times = (count, run) => Promise.all(Array.from({ length: count }, run));

globalThis.signIn = async (username, password) => (await post('/login', { username, password, cookie: true })).status;
globalThis.refresh = (count) => times(count, async () => {
  const response = await post('/refresh', { cookie: true });
  const body = await response.json();
  token = body.access_token ?? token;
  return response.status === 200 ? body.session_id : response.status + ' ' + body.code;
});

let token = 'none yet';
/** Each 401 by itself: no lock, no queue. */
globalThis.naive = (count) => times(count, async () => {
  const me = () => fetch(API + '/me', { headers: { authorization: 'Bearer ' + token } });
  const first = await me();
  if (first.status !== 401) return first.status;
  const answer = await post('/refresh', { cookie: true });
  if (answer.ok) token = (await answer.json()).access_token;
  return (await me()).status;
});

const axiosClient = (options) => {
  const client = axios.create({ baseURL: API });
  client.interceptors.request.use((request) => {
    request.headers.Authorization = 'Bearer ' + token;
    return request;
  });
  createAuthRefresh(client, async (failed) => {
    const { data } = await axios.post(API + '/refresh', { cookie: true }, { withCredentials: true });
    token = data.access_token;
    failed.response.config.headers.Authorization = 'Bearer ' + token;
  }, options);
  return (count) => times(count, async () =>
    client.get('/me').then(({ status }) => status, (error) => error.response?.status ?? String(error)));
};
globalThis.axiosDefault = axiosClient({});
globalThis.axiosEach = axiosClient({ deduplicateRefresh: false });
`;

type Call = 'refresh' | 'naive' | 'axiosDefault' | 'axiosEach';

describe.skipIf(isMissing('chromium'))(`${TABS} tabs, ${PARALLEL} requests at once`, () => {
  let app: TestApp;
  let browser: Browser;
  let context: BrowserContext;
  let tabs: Page[];
  let origin: string;
  let closePages: () => void;
  let users = 0;

  beforeAll(async () => {
    let script = '';
    const pages = createServer((request, response) => {
      const isScript = request.url === '/front.js';
      response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
      response.end(
        isScript ? script : '<!doctype html><title>page</title><script src="/front.js"></script>',
      );
    });
    origin = `http://localhost:${await freePort(pages)}`;
    closePages = () => void pages.close().closeAllConnections();
    app = await createTestApp({
      config: `[cookies]\nenabled = true\nallowed_origins = ["${origin}"]\n`,
    });
    const { outputFiles } = await build({
      stdin: { contents: PAGE, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
      bundle: true,
      format: 'iife',
      define: { API: JSON.stringify(app.url.replace('127.0.0.1', 'localhost')) },
      write: false,
      logLevel: 'error',
    });
    script = outputFiles[0]?.text ?? '';
    browser = await launchChromium();
  });
  beforeEach(async () => {
    await context?.close();
    context = await browser.newContext();
    tabs = await Promise.all(
      Array.from({ length: TABS }, async () => {
        const page = await context.newPage();
        await page.goto(origin);
        return page;
      }),
    );
    const username = `tabs-${++users}`;
    await app.register(username);
    const status = await tabs[0]?.evaluate(
      ([name, password]) => Reflect.get(globalThis, 'signIn')(name, password) as Promise<number>,
      [username, PASSWORD] as const,
    );
    expect(status).toBe(200);
  });
  afterAll(async () => {
    await browser?.close();
    closePages?.();
    await app?.stop();
  });

  /** So many calls over all tabs, as evenly as that goes, and all at once. */
  const everywhere = async (call: Call): Promise<unknown[]> => {
    const shares = tabs.map((page, at) => {
      const count = Math.floor((PARALLEL + TABS - 1 - at) / TABS);
      return page.evaluate(
        ([name, many]) => Reflect.get(globalThis, name)(many) as Promise<unknown[]>,
        [call, count] as const,
      );
    });
    return (await Promise.all(shares)).flat();
  };
  const cookie = async (): Promise<string> =>
    (await context.cookies(app.url.replace('127.0.0.1', 'localhost'))).find(
      ({ name }) => name === '__Host-refresh',
    )?.value ?? '';

  test(`${ROUNDS} rounds of bare refreshes: no session is lost, and theft ends it once the window is over`, async () => {
    const sessions = new Set<unknown>();
    const first = await cookie();
    const seen = new Set([first]);
    for (let round = 0; round < ROUNDS; round++) {
      app.clock.advance(LATER_MS);
      const answers = await everywhere('refresh');
      expect(answers).toHaveLength(PARALLEL);
      for (const answer of answers) sessions.add(answer);
      seen.add(await cookie());
    }
    expect([...sessions]).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)]);
    // Each round had a token of its own, so that each was a race.
    expect(seen.size).toBe(ROUNDS + 1);
    app.clock.advance(LATER_MS);
    const theft = await app.call('POST', '/refresh', { body: { refresh_token: first } });
    expect([theft.status, theft.body.code]).toEqual([401, 'refresh_token_reused']);
    expect(new Set(await everywhere('refresh'))).toEqual(new Set(['401 session_revoked']));
  });

  test.each(['axiosEach', 'naive'] as const)(
    '%s survives parallel 401s in every tab: all are answered in the end',
    async (call) => {
      for (let round = 0; round < ROUNDS; round++) {
        app.clock.advance(EXPIRED_MS);
        expect(await everywhere(call)).toEqual(Array(PARALLEL).fill(200));
      }
    },
  );

  test('axios-auth-refresh as it comes: it hands on 401s of requests under way, and the session lives', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      app.clock.advance(EXPIRED_MS);
      const first = await everywhere('axiosDefault');
      expect(first.filter((status) => status !== 200 && status !== 401)).toEqual([]);
      // One request of each tab refreshed.
      expect(first.filter((status) => status === 200).length).toBeGreaterThanOrEqual(TABS);
      expect(await everywhere('axiosDefault')).toEqual(Array(PARALLEL).fill(200));
    }
  });
});
