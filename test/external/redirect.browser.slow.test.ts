/**
 * A sign-in as a user makes it: Chromium leaves the page for a real OpenID Connect provider
 * (oidc-provider), signs in and consents there, comes back with an ID token or a code, and the page
 * presents it.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { launchChromium } from '../support/browser.ts';
import { freePort, isMissing } from '../support/peers.ts';

const CLIENT_ID = 'shop-page';
const CODE_CLIENT = { id: 'shop-service', secret: 'of-the-shop-and-its-provider' };

/** The page: asks for a nonce or starts a flow, leaves, and presents what it comes back with. */
const page = (
  auth: string,
  provider: string,
  own: string,
): string => `<!doctype html><title>Shop</title>
<button id="begin">Sign in with Work</button><button id="begin-code">By code</button><output id="done"></output>
<script type="module">
const post = async (path, body) => {
  const response = await fetch(${JSON.stringify(auth)} + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, ...(await response.json()) };
};
document.querySelector('#begin').onclick = async () => {
  const { nonce } = await post('/login/external/work/nonce');
  sessionStorage.setItem('nonce', nonce);
  const asked = { client_id: '${CLIENT_ID}', response_type: 'id_token', scope: 'openid email profile', redirect_uri: '${own}', nonce };
  location.assign('${provider}/auth?' + new URLSearchParams(asked));
};
document.querySelector('#begin-code').onclick = async () => {
  const { url, flow } = await post('/login/external/team/start', {});
  sessionStorage.setItem('flow', flow);
  location.assign(url);
};
const { code, state, iss } = Object.fromEntries(new URLSearchParams(location.search));
if (code !== undefined) {
  const flow = sessionStorage.getItem('flow');
  sessionStorage.removeItem('flow');
  history.replaceState(null, '', location.pathname);
  const proof = { code, state, iss, ...(flow === null ? {} : { flow }) };
  globalThis.proof = proof;
  globalThis.answer = await post('/login/external/team', proof);
  globalThis.again = await post('/login/external/team', proof);
}
const idToken = new URLSearchParams(location.hash.slice(1)).get('id_token');
if (idToken !== null) {
  const nonce = sessionStorage.getItem('nonce');
  sessionStorage.removeItem('nonce');
  history.replaceState(null, '', location.pathname);
  const answer = await post('/login/external/work', { id_token: idToken, nonce });
  globalThis.answer = answer;
  globalThis.again = await post('/login/external/work', { id_token: idToken, nonce });
  document.querySelector('#done').textContent = answer.status ?? answer.code;
}
</script>`;

describe.skipIf(isMissing('chromium'))('a redirect to a provider and back', () => {
  let app: TestApp;
  let browser: Browser;
  const servers: Server[] = [];
  let own: string;

  const listen = async (port: number, server: Server): Promise<void> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  };

  beforeAll(async () => {
    const [providerPort, pagePort] = [await freePort(), await freePort()];
    const issuer = `http://127.0.0.1:${providerPort}`;
    own = `http://127.0.0.1:${pagePort}/`;
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const key = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'first' };
    const provider = new Provider(issuer, {
      jwks: { keys: [key] },
      cookies: { keys: ['a key of this test'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
      clients: [
        {
          client_id: CLIENT_ID,
          application_type: 'native',
          redirect_uris: [own],
          response_types: ['id_token'],
          grant_types: ['implicit'],
          token_endpoint_auth_method: 'none',
          id_token_signed_response_alg: 'ES256',
        },
        {
          client_id: CODE_CLIENT.id,
          client_secret: CODE_CLIENT.secret,
          application_type: 'native',
          redirect_uris: [own],
          id_token_signed_response_alg: 'ES256',
        },
      ],
      conformIdTokenClaims: false,
      enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
      findAccount: (_, id) => ({
        accountId: id,
        claims: () => ({
          sub: id,
          email: `${id}@example.com`,
          email_verified: true,
          name: 'Grace',
        }),
      }),
    });
    await listen(providerPort, createServer(provider.callback()));
    app = await createTestApp({
      config: `[server]\ncors_origins = ["${own.slice(0, -1)}"]\n[external.work]\nissuer = "${issuer}"\nclient_ids = ["${CLIENT_ID}"]\n[external.team]\nissuer = "${issuer}"\nclient_ids = ["${CODE_CLIENT.id}"]\nclient_secret = "${CODE_CLIENT.secret}"\nredirect_uris = ["${own}"]\n`,
      clock: {
        now: () => Date.now(),
        monotonic: () => performance.now(),
        advance: () => undefined,
      },
    });
    const html = page(app.url, issuer, own);
    const pages = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end(html);
    });
    await listen(pagePort, pages);
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await app?.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** Signs in at the provider; the answers that the page got. */
  const through = async (tab: Page, login: string) => {
    await tab.fill('input[name=login]', login);
    await tab.fill('input[name=password]', 'anything');
    await tab.click('button[type=submit]');
    // The provider's page that asks for consent.
    await tab.click('button[type=submit]:has-text("Continue")');
    await tab.waitForFunction(() => 'again' in globalThis, undefined, { timeout: 60_000 });
    return tab.evaluate(() => ({
      answer: Reflect.get(globalThis, 'answer'),
      again: Reflect.get(globalThis, 'again'),
    }));
  };

  test('signs in, once for each ID token, with the verified address', async () => {
    const tab = await browser.newPage();
    await tab.goto(own);
    await tab.click('#begin');
    const { answer, again } = await through(tab, 'grace');
    expect(answer.status).toBe('authenticated');
    expect([again.status, again.code]).toEqual([401, 'invalid_credentials']);
    const me = (await app.call('GET', '/me', { token: answer.access_token })).body;
    expect([me.email, me.display_name]).toEqual(['grace@example.com', 'Grace']);
    await tab.close();
  });

  test('signs in by code, once, in the browser that began', async () => {
    const tab = await browser.newPage();
    await tab.goto(own);
    await tab.click('#begin-code');
    const { answer, again } = await through(tab, 'ada');
    expect(answer.status).toBe('authenticated');
    expect([again.status, again.code]).toEqual([401, 'invalid_credentials']);
    const me = (await app.call('GET', '/me', { token: answer.access_token })).body;
    expect([me.email, me.display_name]).toEqual(['ada@example.com', 'Grace']);
    expect(tab.url()).toBe(own);
    await tab.close();
    // I04: an attacker's own code, in a link that the page of somebody else opens.
    const started = (await app.call('POST', '/login/external/team/start')).body;
    const attacker = await browser.newContext();
    const theirs = await attacker.newPage();
    await theirs.goto(started.url);
    expect((await through(theirs, 'mallory')).answer.status).toBe(422);
    const came: Record<string, string> = await theirs.evaluate(() =>
      Reflect.get(globalThis, 'proof'),
    );
    const link = `${own}?${new URLSearchParams(came)}`;
    await attacker.close();
    const victim = await (await browser.newContext()).newPage();
    await victim.goto(link);
    await victim.waitForFunction(() => 'again' in globalThis);
    expect(await victim.evaluate(() => Reflect.get(globalThis, 'answer').status)).toBe(422);
    await victim.goto(own);
    await victim.evaluate(() => sessionStorage.setItem('flow', 'of another sign-in'));
    await victim.goto(link);
    await victim.waitForFunction(() => 'again' in globalThis);
    expect(await victim.evaluate(() => Reflect.get(globalThis, 'answer').code)).toBe(
      'invalid_credentials',
    );
    // It was good all the time, but for the attacker's own browser.
    const body = { ...came, flow: started.flow };
    expect((await app.call('POST', '/login/external/team', { body })).status).toBe(200);
  });
});
