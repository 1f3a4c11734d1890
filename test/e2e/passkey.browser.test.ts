/**
 * Passkeys in a real browser: the built server, Chromium with a virtual authenticator, and the page
 * that a front-end would write with
 * @simplewebauthn/browser, on an origin of its own.
 *
 * @see https://chromedevtools.github.io/devtools-protocol/tot/WebAuthn/
 */
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claimsOf } from '../support/mfa.ts';
import { PEERS, freePort, isMissing } from '../support/peers.ts';
import { startServer } from '../support/process.ts';
import type { Server, SignedIn } from '../support/process.ts';

/** What the page has for the test to call: each is one thing that a front-end does. */
const PAGE = `
import { startAuthentication, startRegistration } from '@simplewebauthn/browser';
const call = async (method, path, { token, body } = {}) => {
  const response = await fetch(API + path, { method, headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(token === undefined ? {} : { authorization: 'Bearer ' + token }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
};
const assertion = async (path, request, timeout) => {
  const { body } = await call('POST', path, request);
  return { challenge_id: body.challenge_id, credential: await startAuthentication({ optionsJSON: { ...body.options, ...(timeout === undefined ? {} : { timeout }) } }) };
};
globalThis.front = {
  call,
  enrol: async (token, name) => {
    const { body } = await call('POST', '/me/passkeys/options', { token });
    return call('POST', '/me/passkeys', { token, body: { challenge_id: body.challenge_id, credential: await startRegistration({ optionsJSON: body.options }), name } });
  },
  signIn: async (username, timeout) => call('POST', '/login/passkey', { body: await assertion('/login/passkey/options', { body: username === undefined ? {} : { username } }, timeout) }),
  second: async (challenge_token) => call('POST', '/login/mfa', { body: { challenge_token, passkey: await assertion('/login/mfa/passkey/options', { body: { challenge_token } }) } }),
  again: async (token) => call('POST', '/reauthenticate', { token, body: { passkey: await assertion('/reauthenticate/passkey/options', { token }) } }),
};
`;

interface Answered {
  readonly status: number;
  // What the service answers is what tests assert on, member by member.
  // biome-ignore lint/suspicious/noExplicitAny: asserted on member by member
  readonly body: any;
}

describe.skipIf(isMissing('chromium'))('in Chromium', () => {
  let server: Server;
  let browser: Browser;
  let page: Page;
  let cdp: CDPSession;
  let closePage: () => void;
  let authenticatorId: string;
  let ada: SignedIn;

  /** Calls one of the page's functions, in the page. */
  const front = (name: string, ...args: readonly unknown[]): Promise<Answered> =>
    page.evaluate(
      ([called, given]) =>
        (
          globalThis as unknown as {
            front: Record<string, (...values: unknown[]) => Promise<Answered>>;
          }
        ).front[called]?.(...given) as Promise<Answered>,
      [name, args] as const,
    );

  const addAuthenticator = async (hasUserVerification: boolean): Promise<string> =>
    (
      await cdp.send('WebAuthn.addVirtualAuthenticator', {
        options: {
          protocol: 'ctap2',
          ctap2Version: 'ctap2_1',
          transport: 'internal',
          hasResidentKey: true,
          hasUserVerification,
          isUserVerified: hasUserVerification,
          automaticPresenceSimulation: true,
        },
      })
    ).authenticatorId;
  const credentials = async () =>
    (await cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  /**
   * Another authenticator in the place of the present one, with its credentials as a copy would
   * have them.
   */
  const replaceAuthenticator = async (
    hasUserVerification: boolean,
    signCount?: number,
  ): Promise<void> => {
    const held = await credentials();
    await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId });
    authenticatorId = await addAuthenticator(hasUserVerification);
    for (const credential of held)
      await cdp.send('WebAuthn.addCredential', {
        authenticatorId,
        credential: { ...credential, ...(signCount === undefined ? {} : { signCount }) },
      });
  };

  beforeAll(async () => {
    const html = createServer((request, response) => {
      const isScript = request.url === '/front.js';
      response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
      response.end(
        isScript
          ? script
          : '<!doctype html><title>front-end</title><script src="/front.js"></script>',
      );
    });
    const port = await freePort(html);
    closePage = () => void html.close().closeAllConnections();
    const origin = `http://localhost:${port}`;
    server = await startServer({
      env: { POSTERN_PASSKEYS_ORIGINS: origin, POSTERN_SERVER_CORS_ORIGINS: origin },
    });
    const { outputFiles } = await build({
      stdin: { contents: PAGE, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
      bundle: true,
      format: 'iife',
      define: { API: JSON.stringify(server.url) },
      write: false,
      logLevel: 'error',
    });
    const script = outputFiles[0]?.text ?? '';
    browser = await chromium.launch({
      executablePath: PEERS.chromium.path,
      args: [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
        '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1',
      ],
    });
    page = await browser.newPage();
    await page.goto(origin);
    cdp = await page.context().newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    authenticatorId = await addAuthenticator(true);
    ada = await server.register('ada');
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    closePage?.();
  });

  test('a passkey is added, and lies in the authenticator as discoverable', async () => {
    const { status, body } = await front('enrol', ada.access, 'This laptop');
    expect([status, body.name, body.clone_suspected]).toEqual([201, 'This laptop', false]);
    const [held] = await credentials();
    expect(held).toMatchObject({
      isResidentCredential: true,
      rpId: 'localhost',
      userHandle: Buffer.from(ada.userId.replaceAll('-', ''), 'hex').toString('base64'),
      userName: 'ada',
    });
  });

  test('the same authenticator is not taken twice: the options exclude what it has', async () => {
    await expect(front('enrol', ada.access, 'Twice')).rejects.toThrow(
      /InvalidStateError|previously registered/,
    );
  });

  test('signing in without a name, with verification: aal2 by itself', async () => {
    const { status, body } = await front('signIn');
    expect([status, body.status]).toEqual([200, 'authenticated']);
    expect(claimsOf(body.access_token)).toMatchObject({
      sub: ada.userId,
      acr: 'aal2',
      amr: expect.arrayContaining(['user', 'mfa']),
    });
  });

  test('signing in with a name', async () => {
    expect((await front('signIn', 'ada')).body.status).toBe('authenticated');
  });

  test('for a name that nobody has, the passkey of another account is refused', async () => {
    const { status, body } = await front('signIn', 'nobody-has-this');
    expect([status, body.code]).toEqual([401, 'invalid_credentials']);
  });

  test('as the second factor after the password, and again within the session', async () => {
    const first = await server.login('ada');
    expect(first.body).toMatchObject({ status: 'mfa_required', factors: ['passkey'] });
    const { body } = await front('second', first.body.challenge_token);
    expect(claimsOf(body.access_token)).toMatchObject({
      acr: 'aal2',
      amr: expect.arrayContaining(['pwd', 'user', 'mfa']),
    });
    const again = await front('again', body.access_token);
    expect([again.status, again.body.session_id]).toEqual([200, body.session_id]);
  });

  test('an authenticator that can’t verify its user: one factor, and the password is the other', async () => {
    await replaceAuthenticator(false);
    // Chromium asks such a one for listed credentials alone, and they are listed after the password.
    const first = await server.login('ada');
    expect(first.body).toMatchObject({ status: 'mfa_required', factors: ['passkey'] });
    const { body } = await front('second', first.body.challenge_token);
    expect(claimsOf(body.access_token)).toMatchObject({ acr: 'aal2' });
    await replaceAuthenticator(true);
  });

  test('W04: a copy whose counter stands behind is refused, and flagged', async () => {
    const [{ signCount = 0 } = {}] = await credentials();
    expect(signCount).toBeGreaterThan(2);
    await replaceAuthenticator(true, 1);
    const copy = await front('signIn');
    expect([copy.status, copy.body.code]).toEqual([401, 'invalid_credentials']);
    await replaceAuthenticator(true, signCount + 1);
    const original = await front('signIn');
    expect(original.body.status).toBe('authenticated');
    const { body } = await front('call', 'GET', '/me/factors', {
      token: original.body.access_token,
    });
    expect(body.passkeys).toEqual([
      expect.objectContaining({ name: 'This laptop', clone_suspected: true }),
    ]);
  });

  test('a removed passkey does not sign in, and the page learns which one to remove', async () => {
    const { body: signedIn } = await front('signIn');
    const { body } = await front('call', 'GET', '/me/factors', { token: signedIn.access_token });
    expect(
      (
        await front('call', 'DELETE', `/me/passkeys/${body.passkeys[0].id}`, {
          token: signedIn.access_token,
        })
      ).status,
    ).toBe(204);
    const gone = await front('signIn');
    expect([gone.status, gone.body.code, gone.body.unknown_credential]).toEqual([
      401,
      'invalid_credentials',
      {
        rpId: 'localhost',
        credentialId: body.passkey_signals.all_accepted_credentials.allAcceptedCredentialIds[0],
      },
    ]);
    expect((await server.login('ada')).body.status).toBe('authenticated');
  });
});
