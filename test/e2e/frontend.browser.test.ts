/**
 * examples/frontend in Chromium, against the built program with the example's own configuration:
 * every way through it, by the names and labels that a screen reader says, and axe-core in each view.
 */
import { createServer } from 'node:http';
import type { Server as HttpServer } from 'node:http';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchChromium } from '../support/browser.ts';
import { codeAt } from '../support/mfa.ts';
import { freePort, isMissing } from '../support/peers.ts';
import { PASSWORD, eventually, startServer } from '../support/process.ts';
import type { Server } from '../support/process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const AXE = join(ROOT, 'node_modules/axe-core/axe.min.js');
const NEXT_PASSWORD = 'another horse battery staple';
/** What a person waits for; long, for machines that are busy. */
const PATIENCE = { timeout: 30_000 };

const CLIENT_ID = 'example-page';
/** Of the service, for codes. */
const CODE_CLIENT = { id: 'example-service', secret: 'of-the-example-and-its-provider' };

/** A real OpenID Connect provider, whose every user may sign in. */
async function startProvider(issuer: string, page: string): Promise<HttpServer> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'first' };
  const made = new Provider(issuer, {
    jwks: { keys: [key] },
    cookies: { keys: ['a key of this test'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    clients: [
      {
        client_id: CLIENT_ID,
        application_type: 'native',
        redirect_uris: [page],
        response_types: ['id_token'],
        grant_types: ['implicit'],
        token_endpoint_auth_method: 'none',
        id_token_signed_response_alg: 'ES256',
      },
      {
        client_id: CODE_CLIENT.id,
        client_secret: CODE_CLIENT.secret,
        application_type: 'native',
        redirect_uris: [page],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    conformIdTokenClaims: false,
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true, name: 'Mary' }),
    }),
  });
  const server = createServer(made.callback());
  await new Promise<void>((resolve) => {
    server.listen(Number(new URL(issuer).port), '127.0.0.1', resolve);
  });
  return server;
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

describe.skipIf(isMissing('chromium'))('examples/frontend', () => {
  let server: Server;
  let provider: HttpServer;
  let issuer: string;
  let pages: ChildProcess;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let origin: string;
  let apiPort: number;
  const faults: string[] = [];

  const start = (env: Record<string, string> = {}, directory?: string): Promise<Server> =>
    startServer({
      config: `${readFileSync(join(ROOT, 'examples/frontend/config.toml'), 'utf8')}
[external.work]
issuer = "${issuer}"
client_ids = ["${CLIENT_ID}"]
[external.team]
issuer = "${issuer}"
client_ids = ["${CODE_CLIENT.id}"]
client_secret = "${CODE_CLIENT.secret}"
redirect_uris = ["${origin}/"]
`,
      ...(directory === undefined ? {} : { directory }),
      // Only the ports are others than the example's.
      env: {
        POSTERN_SERVER_LISTEN: `tcp://127.0.0.1:${apiPort}`,
        POSTERN_SERVER_PUBLIC_URL: `http://localhost:${apiPort}`,
        POSTERN_COOKIES_ALLOWED_ORIGINS: origin,
        POSTERN_PASSKEYS_ORIGINS: origin,
        POSTERN_MAIL_VERIFY_URL: `${origin}/verify`,
        POSTERN_MAIL_RESET_URL: `${origin}/reset`,
        POSTERN_MAIL_SIGN_IN_URL: `${origin}/sign-in`,
        POSTERN_MAIL_INTERVAL: '1s',
        POSTERN_SMS_INTERVAL: '1s',
        ...env,
      },
    });

  beforeAll(async () => {
    apiPort = await freePort();
    const port = await freePort();
    origin = `http://localhost:${port}`;
    const providerPort = await freePort();
    issuer = `http://127.0.0.1:${providerPort}`;
    provider = await startProvider(issuer, `${origin}/`);
    server = await start();
    pages = spawn(process.execPath, [join(ROOT, 'examples/frontend/serve.mjs'), String(port)], {
      env: {
        ...process.env,
        POSTERN_URL: `http://localhost:${apiPort}`,
        PROVIDERS: JSON.stringify([
          { name: 'work', label: 'Work', authorize: `${issuer}/auth`, client_id: CLIENT_ID },
          { name: 'team', label: 'Team' },
        ]),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    pages.stdout?.on('data', (chunk) => (said += String(chunk)));
    await eventually(() => said.includes(origin), 30_000);
    browser = await launchChromium();
  });
  const openContext = async (): Promise<Page> => {
    await context?.close();
    context = await browser.newContext({ viewport: { width: 360, height: 740 } });
    const opened = await context.newPage();
    opened.setDefaultTimeout(PATIENCE.timeout);
    opened.on('pageerror', (error) => faults.push(String(error)));
    return opened;
  };
  beforeEach(async () => {
    faults.length = 0;
    page = await openContext();
    await page.goto(origin);
  });
  afterAll(async () => {
    await browser?.close();
    pages?.kill();
    await server?.stop();
    provider?.closeAllConnections();
    provider?.close();
  });

  const heading = (name: string | RegExp): Promise<void> =>
    page.getByRole('heading', { level: 1, name }).waitFor();
  const within = (name: string): Locator => page.getByRole('region', { name });
  const press = (name: string | RegExp, inside: Locator | Page = page): Promise<void> =>
    inside.getByRole('button', { name, exact: typeof name === 'string' }).click();
  const says = (role: 'status' | 'alert', text: string | RegExp): Promise<void> =>
    page.getByRole(role).filter({ hasText: text }).first().waitFor();
  /** Fills a form and sends it by the Enter key. */
  const send = async (inside: Locator, values: Record<string, string>): Promise<void> => {
    const labels = Object.keys(values);
    // Inputs alone: a section may have the name of its field.
    const input = (label: string) =>
      inside.getByLabel(label, { exact: true }).and(page.locator('input'));
    for (const label of labels) await input(label).fill(values[label] ?? '');
    await input(labels.at(-1) ?? '').press('Enter');
  };
  const mailed = async (to: string, subject: RegExp) => {
    let found: { text: string; link: string | null } | undefined;
    await eventually(async () => {
      const { stdout } = await server.cli(['mail', 'show', '--json']);
      const emails = stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line));
      found = emails.findLast((one) => one.to === to && subject.test(one.subject));
      return found !== undefined;
    }, PATIENCE.timeout);
    return { code: found?.text.split('\n')[2] ?? '', link: found?.link ?? '' };
  };
  /** In light and dark: no violation that axe-core knows, and nothing wider than a phone. */
  const expectAccessible = async (): Promise<void> => {
    await page.addScriptTag({ path: AXE });
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const violations = await page.evaluate<readonly Violation[]>(
        `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)`,
      );
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
    }
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBe(0);
    // Whoever hears the page is where the view begins.
    expect(await page.title()).toMatch(/ – postern example$/);
  };
  const signIn = async (username: string, password: string): Promise<void> => {
    await heading('Sign in');
    await send(within('With your password'), {
      'Username or email address': username,
      Password: password,
    });
  };
  /** Its user touches it at once, until told otherwise: it answers an offer in a field too. */
  const addAuthenticator = async () => {
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
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
    return {
      touches: (enabled: boolean) =>
        cdp.send('WebAuthn.setAutomaticPresenceSimulation', { authenticatorId, enabled }),
      lose: () => cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId }),
    };
  };

  test('register and verify, account, second factor, recovery, passkey, sessions, password, deletion', async () => {
    // By the keyboard alone: the second link of the page's navigation, and Enter.
    await heading('Sign in');
    await expectAccessible();
    await page.getByRole('button', { name: 'Create an account' }).focus();
    await page.keyboard.press('Enter');
    await heading('Create an account');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Create an account');
    await expectAccessible();

    // What password managers and phones fill in, on each view.
    const autocomplete = (): Promise<string[]> =>
      page
        .locator('input')
        .evaluateAll((all) => all.map((one) => one.getAttribute('autocomplete') ?? ''));
    expect(await autocomplete()).toEqual([
      'email',
      'new-password',
      'username',
      'new-password',
      'username',
    ]);

    // A fault stands beside its field, which has the focus.
    const byEmail = within('With your email address');
    await send(byEmail, { 'Email address': 'ada@example.com', Password: 'short' });
    await byEmail
      .locator('.fault')
      .filter({ hasText: /15 characters/ })
      .waitFor();
    const password = byEmail.getByLabel('Password', { exact: true });
    expect([
      await password.getAttribute('aria-invalid'),
      await password.evaluate((one) => one === one.ownerDocument.activeElement),
    ]).toEqual(['true', true]);
    await expectAccessible();
    await send(byEmail, { 'Email address': 'ada@example.com', Password: PASSWORD });
    await heading('Check your email');
    await expectAccessible();
    expect(await autocomplete()).toEqual(['one-time-code']);
    await press('Send another code');
    await says('status', /Another code/);
    const { code } = await mailed('ada@example.com', /^Your code/);
    await send(within('Enter the code of the email'), { Code: 'WRONG2' });
    await says('alert', /./);
    await send(within('Enter the code of the email'), { Code: code });
    await heading('Signed in as ada@example.com');
    await expectAccessible();

    // The account.
    await send(within('Profile'), { Name: 'Ada' });
    await heading('Signed in as Ada');
    await says('status', 'The name is saved.');
    await send(within('Email address'), { 'New email address': 'ada@example.net' });
    await says('status', /Enter the code/);
    const { code: second } = await mailed('ada@example.net', /^Your code/);
    await send(within('Email address'), { 'Code that was sent to ada@example.net': second });
    await within('Email address').getByText('ada@example.net (verified)').waitFor();

    // An authenticator app.
    await press('Set up an app');
    await heading('Set up an authenticator app');
    await expectAccessible();
    const secret = (await page.locator('#totp-secret').textContent()) ?? '';
    const confirmedAt = Date.now();
    await send(within('Add this key to your app'), {
      'Six digits of your app': codeAt(secret, confirmedAt),
    });
    await heading('Your recovery codes');
    await expectAccessible();
    const codes = await page.locator('.codes li').allTextContents();
    expect(codes).toHaveLength(10);
    await press('I have kept them');
    await within('Authenticator app').getByText('On. 10 recovery codes left.').waitFor();

    // A reload has only the cookie, and is signed in.
    await page.reload();
    await heading('Signed in as Ada');
    await press('Sign out');
    await heading('Sign in');
    await says('status', 'You are signed out.');

    expect(await autocomplete()).toEqual(['username webauthn', 'current-password', 'email', 'tel']);
    // The second factor: a wrong code, then the right one.
    await signIn('ada@example.net', PASSWORD);
    await heading('Second factor');
    await expectAccessible();
    await send(within('Authenticator app'), { 'Six digits of your app': '000000' });
    await says('alert', 'The password was right');
    await send(within('Authenticator app'), {
      'Six digits of your app': codeAt(secret, confirmedAt + 30_000),
    });
    await heading('Signed in as Ada');

    // Recovery.
    await press('Sign out');
    await signIn('ada@example.net', PASSWORD);
    await heading('Second factor');
    await send(within('Recovery code'), { 'Recovery code': codes[0] ?? '' });
    await heading('Signed in as Ada');
    await within('Authenticator app').getByText('On. 9 recovery codes left.').waitFor();

    // A passkey: added, signed in with, presented as a second factor, removed.
    const key = await addAuthenticator();
    await send(within('Passkeys'), { 'Name of the new passkey': 'Laptop' });
    await says('status', 'The passkey is added.');
    await expectAccessible();
    await key.touches(false);
    await press('Sign out');
    await heading('Sign in');
    await key.touches(true);
    await press('Sign in with a passkey');
    await heading('Signed in as Ada');
    await key.touches(false);
    await press('Sign out');
    await signIn('ada@example.net', PASSWORD);
    await heading('Second factor');
    await key.touches(true);
    await press('Use a passkey');
    await heading('Signed in as Ada');

    // Another session, ended from here.
    const other = await server.call('POST', '/login', {
      body: { username: 'ada@example.net', password: PASSWORD },
    });
    const { body } = await server.call('POST', '/login/mfa', {
      body: { challenge_token: other.body.challenge_token, recovery_code: codes[1] },
    });
    await press('Account');
    await page.getByRole('button', { name: /^End the session Unknown program/ }).click();
    await says('status', 'The session is ended.');
    const refused = await server.call('GET', '/me', { token: body.access_token });
    expect(refused.status).toBe(401);

    // The password.
    await send(within('Password'), {
      'Current password': 'not the right one',
      'New password': NEXT_PASSWORD,
    });
    await says('alert', /./);
    await send(within('Password'), { 'Current password': PASSWORD, 'New password': NEXT_PASSWORD });
    await says('status', /The password is changed/);

    // Away with the factors, and with the account.
    await page.getByRole('button', { name: 'Remove the passkey Laptop' }).click();
    await says('status', 'The passkey is removed.');
    // The factor that this session was at aal2 by is gone: the next change asks for another one.
    await press('Remove the app');
    const stepUp = page.getByRole('dialog', { name: 'Confirm that it is you' });
    await stepUp.waitFor();
    await expectAccessible();
    await send(stepUp, { 'Recovery code': codes[2] ?? '' });
    await says('status', 'The app is removed.');
    page.once('dialog', (dialog) => void dialog.accept());
    await press('Delete my account');
    await heading('Sign in');
    await signIn('ada@example.net', NEXT_PASSWORD);
    await says('alert', /./);
    expect(faults).toEqual([]);
  });

  test('the links of emails: a registration on another device, a forgotten password', async () => {
    await press('Create an account');
    await send(within('With your email address'), {
      'Email address': 'grace@example.com',
      Password: PASSWORD,
    });
    await heading('Check your email');
    const { link } = await mailed('grace@example.com', /^Your code/);
    page = await openContext();
    await page.goto(link);
    await heading('Create the account');
    // The token is out of the address, and out of the history.
    expect(page.url()).toBe(`${origin}/`);
    await expectAccessible();
    await send(within('Enter the password that you chose'), { Password: 'not the right one' });
    await says('alert', /./);
    await send(within('Enter the password that you chose'), { Password: PASSWORD });
    await heading('Signed in as grace@example.com');
    await press('Sign out everywhere');
    await heading('Sign in');

    await press('Forgot password');
    await heading('Forgot password');
    await expectAccessible();
    await send(within('Ask for a link'), { 'Username or email address': 'grace@example.com' });
    await heading('Check your email');
    const reset = await mailed('grace@example.com', /^Reset your password/);
    await page.goto(reset.link);
    await heading('Choose a new password');
    await expectAccessible();
    await send(within('New password'), { Password: NEXT_PASSWORD });
    await says('status', /The password is set/);
    await signIn('grace@example.com', NEXT_PASSWORD);
    await heading('Signed in as grace@example.com');
    // The link is spent.
    await page.goto(reset.link);
    await says('alert', /./);
    expect(faults).toEqual([]);
  });

  test('a passkey instead of a password: registered, offered in the field, lost, and a password added', async () => {
    const key = await addAuthenticator();
    await press('Create an account');
    await send(within('With a passkey'), { 'Username or email address': 'keyholder' });
    await heading('Your recovery codes');
    const codes = await page.locator('.codes li').allTextContents();
    expect(codes).toHaveLength(10);
    await press('I have kept them');
    await heading('Signed in as keyholder');
    await expectAccessible();
    // The browser offers it in the field of the name, and the user touches it: no button is pressed.
    await press('Sign out');
    await heading('Signed in as keyholder');
    // The last way to sign in stays.
    await page.getByRole('button', { name: 'Remove the passkey Passkey' }).click();
    await says('alert', /Add another way to sign in first/);
    await key.lose();
    await press('Sign out');
    await heading('Sign in');
    await press('I have lost my passkey');
    await heading('Sign in without your passkey');
    await expectAccessible();
    await send(within('With a recovery code'), {
      'Username or email address': 'keyholder',
      'Recovery code': codes[0] ?? '',
    });
    await heading('Signed in as keyholder');
    await send(within('Password'), { 'New password': PASSWORD });
    await says('status', /The password is changed/);
    await press('Sign out');
    await signIn('keyholder', PASSWORD);
    await heading('Second factor');
    expect(faults).toEqual([]);
  });

  test('a passkey with an email address: the code creates the account', async () => {
    await addAuthenticator();
    await press('Create an account');
    await send(within('With a passkey'), { 'Username or email address': 'key@example.com' });
    await heading('Check your email');
    const { code } = await mailed('key@example.com', /^Your code/);
    await send(within('Enter the code of the email'), { Code: code });
    await heading('Your recovery codes');
    await press('I have kept them');
    await heading('Signed in as key@example.com');
    expect(faults).toEqual([]);
  });

  test('a code and a link by email: typed, opened where it was asked for, and opened elsewhere', async () => {
    const register = await server.call('POST', '/register', {
      body: { email: 'mail@example.com', password: PASSWORD },
    });
    const first = await mailed('mail@example.com', /^Your code/);
    await server.call('POST', '/register/verify', {
      body: { registration_id: register.body.registration_id, code: first.code },
    });
    const ask = async (): Promise<void> => {
      await heading('Sign in');
      await send(within('With a code by email'), { 'Email address': 'mail@example.com' });
      await heading('Check your email');
    };
    /** The email after the ones that there were. */
    const next = async (before: string) => {
      let found = { code: '', link: '' };
      await eventually(async () => {
        found = await mailed('mail@example.com', /^Your code/);
        return found.link !== '' && found.link !== before;
      }, PATIENCE.timeout);
      return found;
    };
    await ask();
    await expectAccessible();
    expect(await page.locator('input').getAttribute('autocomplete')).toBe('one-time-code');
    const typed = await next(first.link);
    await send(within('Enter the code of the email'), { Code: typed.code });
    await heading('Signed in as mail@example.com');
    await press('Sign out');

    // At most one email a second goes to an address.
    await page.waitForTimeout(1_500);
    await ask();
    const sent = await next(typed.link);
    // Somebody else's browser: the link stays good, and the code is typed where it was asked for.
    const elsewhere = await browser.newContext();
    const other = await elsewhere.newPage();
    await other.goto(sent.link);
    await other
      .getByRole('heading', { level: 1, name: 'Enter the code on your other device' })
      .waitFor(PATIENCE);
    expect(other.url()).toBe(`${origin}/`);
    await elsewhere.close();
    // Another tab of the browser that asked.
    const tab = await context.newPage();
    await tab.goto(sent.link);
    await tab
      .getByRole('heading', { level: 1, name: 'Signed in as mail@example.com' })
      .waitFor(PATIENCE);
    expect(tab.url()).toBe(`${origin}/`);
    await tab.close();
    expect(faults).toEqual([]);
  });

  test('a telephone number: verified by a typed code; the next one the browser reads from the message', async () => {
    const number = '+4915123456789';
    /** The codes that were sent, each once. */
    const seen = new Set<string>();
    const texted = async (): Promise<string> => {
      let code = '';
      await eventually(() => {
        const folder = join(server.directory, 'data/sms');
        const fresh = existsSync(folder)
          ? readdirSync(folder).filter((name) => name.endsWith('.txt') && !seen.has(name))
          : [];
        const [name] = fresh;
        if (name === undefined) return false;
        seen.add(name);
        const text = readFileSync(join(folder, name), 'utf8');
        expect(text.startsWith(`To: ${number}\n`)).toBe(true);
        code = /\n@localhost #(\d{6})\n$/.exec(text)?.[1] ?? '';
        return true;
      }, PATIENCE.timeout);
      return code;
    };
    await press('Create an account');
    await send(within('With a username'), { Username: 'nora', Password: PASSWORD });
    await heading('Signed in as nora');
    const own = within('Telephone number');
    await send(own, { 'New mobile number': '+49 30 123456' });
    await own
      .locator('.fault')
      .filter({ hasText: /no mobile number/ })
      .waitFor();
    await send(own, { 'New mobile number': '+49 151 23456789' });
    await says('status', 'Enter the code');
    await expectAccessible();
    await send(own, { [`Code that was sent to ${number}`]: await texted() });
    await own.getByText(`${number} (verified)`).waitFor();
    await press('Sign out');
    await heading('Sign in');

    // What a telephone's browser does (WebOTP), in a browser without telephone.
    await page.evaluate(`{
      window.OTPCredential = class {};
      const read = new Promise((resolve) => { window.textArrives = resolve; });
      Object.defineProperty(navigator, 'credentials', {
        value: { get: ({ otp }) => (otp ? read.then((code) => ({ code })) : new Promise(() => {})) },
      });
    }`);
    // At most one message a second goes to a number.
    await page.waitForTimeout(1_100);
    await send(within('With a code in a text message'), { 'Mobile number': number });
    await heading('Check your messages');
    await expectAccessible();
    const input = page.locator('input');
    expect(await input.getAttribute('autocomplete')).toBe('one-time-code');
    await page.evaluate(`textArrives(${JSON.stringify(await texted())})`);
    await heading('Signed in as nora');
    await press('Remove the number');
    await says('status', 'The number is removed.');
    expect(faults).toEqual([]);
  });

  test('a guest becomes a user and keeps the id; without a password, a step-up asks for a code by email', async () => {
    await server.stop();
    server = await start({ POSTERN_SESSIONS_FRESH_FOR: '10s' }, server.directory);
    await press('Create an account');
    await press('Continue as a guest');
    await heading('Signed in as a guest');
    await expectAccessible();
    await page.getByText('it is lost when you sign out').waitFor();
    await send(within('Email address'), { 'New email address': 'guest@example.com' });
    await says('status', /Enter the code/);
    const { code } = await mailed('guest@example.com', /^Your code/);
    await send(within('Email address'), { 'Code that was sent to guest@example.com': code });
    await says('status', 'The address is verified.');
    await heading('Signed in as guest@example.com');
    expect(await page.getByText('it is lost when you sign out').count()).toBe(0);
    const dialog = page.getByRole('dialog', { name: 'Confirm that it is you' });
    await eventually(async () => {
      await send(within('Profile'), { Name: `Guest ${Date.now()}` });
      await Promise.race([dialog.waitFor(), says('status', 'The name is saved.')]);
      return dialog.isVisible();
    }, 60_000);
    await press('Send me a code', dialog);
    await dialog.getByLabel('Code', { exact: true }).waitFor();
    let fresh = { code, link: '' };
    await eventually(async () => {
      fresh = await mailed('guest@example.com', /^Your code/);
      return fresh.code !== code;
    }, PATIENCE.timeout);
    await send(dialog, { Code: fresh.code });
    await heading(/^Signed in as Guest/);
    expect(faults).toEqual([]);
  });

  test('an outside provider: there and back, unlinked and linked', async () => {
    const atProvider = async (login: string): Promise<void> => {
      await page.fill('input[name=login]', login);
      await page.fill('input[name=password]', 'anything');
      await page.click('button[type=submit]');
      await page.click('button[type=submit]:has-text("Continue")');
    };
    await heading('Sign in');
    await press('Continue with Work');
    await atProvider('mary');
    await heading('Signed in as Mary');
    expect(page.url()).toBe(`${origin}/`);
    await expectAccessible();
    await within('Outside identities').getByText('work (mary@example.org)').waitFor();
    // Nothing else signs in here yet but codes by email, which the example has on.
    await page.getByRole('button', { name: 'Unlink work' }).click();
    await says('status', 'The identity is unlinked.');
    await press('Link Work');
    // The provider still knows who it is, and asks for consent alone.
    await page.click('button[type=submit]:has-text("Continue")');
    await says('status', 'The identity is linked.');
    expect(faults).toEqual([]);
  });

  test('an outside provider by code: there and back, and refused there', async () => {
    await press('Continue with Team');
    await page.fill('input[name=login]', 'rosa');
    await page.fill('input[name=password]', 'anything');
    await page.click('button[type=submit]');
    await page.click('button[type=submit]:has-text("Continue")');
    await heading('Signed in as Mary');
    expect(page.url()).toBe(`${origin}/`);
    await within('Outside identities').getByText('team (rosa@example.org)').waitFor();
    await press('Sign out');
    await heading('Sign in');
    await press('Continue with Team');
    await page.click('a:has-text("Cancel")');
    await says('status', 'Nothing was done at the provider.');
    expect(page.url()).toBe(`${origin}/`);
    expect(faults).toEqual([]);
  });

  test('a change that needs a recent authentication asks for one, and is then made', async () => {
    await server.stop();
    server = await start({ POSTERN_SESSIONS_FRESH_FOR: '10s' }, server.directory);
    await press('Create an account');
    await send(within('With a username'), { Username: 'hopper', Password: PASSWORD });
    await heading('Signed in as hopper');
    const dialog = page.getByRole('dialog', { name: 'Confirm that it is you' });
    await eventually(async () => {
      await send(within('Profile'), { Name: `Grace ${Date.now()}` });
      await Promise.race([dialog.waitFor(), says('status', 'The name is saved.')]);
      return dialog.isVisible();
    }, 60_000);
    await expectAccessible();
    // Closed by the keyboard, nothing happens.
    await page.keyboard.press('Escape');
    await says('alert', 'Nothing was changed.');
    await send(within('Profile'), { Name: 'Grace' });
    await dialog.waitFor();
    await send(dialog, { Password: 'not the right one' });
    await dialog.getByRole('alert').filter({ hasText: /./ }).waitFor();
    await send(dialog, { Password: PASSWORD });
    await heading('Signed in as Grace');
    expect(faults).toEqual([]);
  });
});
