/**
 * The story of one account, told to a built server request by request: the examples of docs/api and
 * of the OpenAPI document. How a request is sent is the teller's; what came back has to be expected.
 */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import { CLIENT_ID, startIssuer } from '../external/issuer.ts';
import type { TestIssuer } from '../external/issuer.ts';
import { assert, create } from './authenticator.ts';
import type { MadeCredential } from './authenticator.ts';
import { codeAt } from './mfa.ts';
import { startServer } from './process.ts';
import type { Server } from './process.ts';

export interface Step {
  readonly route: string;
  readonly title: string;
  readonly path?: string;
  readonly token?: string;
  readonly basic?: string;
  readonly body?: Record<string, unknown>;
  readonly form?: Record<string, string>;
  readonly status: number;
  /** What of a long answer is shown. */
  readonly shown?: (answer: Answered['answer']) => unknown;
}
export interface Answered {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the service answers is read member by member
  readonly answer: any;
}
/** Sends a step; `live` puts what came before in the place of words in capitals. */
export type Send = (step: Step, live: (text: string) => string) => Promise<Answered>;

export function readAnswer(status: number, text: string): Answered {
  if (text === '') return { status, answer: undefined };
  try {
    return { status, answer: JSON.parse(text) };
  } catch {
    return { status, answer: text };
  }
}
/** What stands for what came, by the name of the member. */
const STANDS_FOR: Readonly<Record<string, unknown>> = {
  access_token: 'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9…',
  refresh_token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9…',
  device_token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImRldmljZStqd3QifQ…',
  challenge_token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImNoYWxsZW5nZStqd3QifQ…',
  challenge_id: 'eyJhbGciOiJIUzI1NiIsInR5cCI6InBhc3NrZXkrand0In0…',
  challenge: 'aLC6Qq3vbRyW4nNqjNZUT0MlIP3mPcFxuUtGsoEKWz0',
  registration_id: 'GcQ4izLgSWesLvdi2c54dsc0QYsxtlfQ',
  otp_id: 'Rk3vXbT0m9wYcQ1nZs7dLfH2jUe5aGoP',
  idx: 974_197,
  request_id: 'b1946ac92492-1',
  nonce: 'n1.c2l4dGVlbiByYW5kb20h.tm4k2x.q0ZxV2N4mJ8c…',
  secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
  otpauth_uri: 'otpauth://totp/postern:ada?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=postern',
  recovery_codes: Array.from({ length: 10 }, (_, n) => `7KQM-2XWD-9RTB-${n}HVC`),
  user_agent: 'curl/8.14.1',
  ip: '127.0.0.1',
  kid: '3fK9QnT2m5c',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  remaining_time: 899,
};
const COUNTED = new Set(['exp', 'iat', 'nbf', 'auth_time']);
const CREDENTIAL = /^[A-Za-z0-9_-]{43,}$/;

function normal(value: unknown, name = ''): unknown {
  if (STANDS_FOR[name] !== undefined && value !== null) return STANDS_FOR[name];
  if (COUNTED.has(name)) return 1_795_608_000;
  // What was left of it when it was answered, in whole minutes.
  if (name.endsWith('expires_in')) return Math.ceil(Number(value) / 60) * 60;
  if (Array.isArray(value)) return value.map((one) => normal(one));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, normal(one, key)]));
  if (typeof value !== 'string') return value;
  if (value.startsWith('-----BEGIN PUBLIC KEY-----'))
    return '-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7…\n-----END PUBLIC KEY-----\n';
  if (/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(value))
    return 'eyJhbGciOiJFUzI1NiIsInR5cCI6InN0YXR1c2xpc3Qrand0In0…';
  if (/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value)) return '2026-11-25T12:00:00.000Z';
  if (
    CREDENTIAL.test(value) ||
    name === 'userId' ||
    (name === 'id' && /^[\w-]{20,}$/.test(value) && !/-7[0-9a-f]{3}-/.test(value))
  )
    return 'AZ1v8mJ3cQeT5yVb0nKx4w';
  return value.replaceAll(
    /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g,
    '019ab3c0-7f4e-7c1a-9f52-3b1d2e4a5c60',
  );
}

/** Another service, which gets tokens of its own. */
const AUDIENCE = 'https://billing.example.com';
const PASSWORD = 'correct horse battery staple';
const NEXT_PASSWORD = 'another horse battery staple';

export interface Stage {
  /** A server of its own for each telling. */
  start(): Promise<Server>;
  /** An outside provider, `shop` in the configuration. */
  readonly issuer: TestIssuer;
  /** What the newest email to an address carries. */
  mailed(to: string, letter: string): Promise<Record<string, string>>;
  close(): Promise<void>;
}

/** Where the story is told: servers whose emails come here. */
export async function openStage(): Promise<Stage> {
  const inbox: { letter: string; to: string; values: Record<string, string> }[] = [];
  const webhook = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      inbox.push(JSON.parse(text));
      response.end();
    });
  });
  await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
  const issuer = await startIssuer(() => Date.now());
  return {
    issuer,
    start: async () => {
      inbox.length = 0;
      return startServer({
        config: `[registration]\nanonymous = true\n[otp]\nlink = true\n[otp.email]\nenabled = true\n[sms]\ncountries = ["DE"]\n[otp.sms]\nenabled = true\n[audiences."${AUDIENCE}"]\nscopes = ["invoices:read"]\n[events.streams.billing]\naudience = "${AUDIENCE}"\n[external.google]\nissuer = "${issuer.url}"\nclient_ids = ["${CLIENT_ID}"]\nredirect_uris = ["https://app.example.com/callback"]\nclient_secret = "GOCSPX-of-this-story"\n`,
        env: {
          POSTERN_PASSKEYS_ENROLL_URL: 'https://app.example.com/passkeys/new',
          POSTERN_PASSKEYS_MANAGE_URL: 'https://app.example.com/passkeys',
          POSTERN_MAIL_TRANSPORTS: 'webhook',
          POSTERN_MAIL_WEBHOOK_URL: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`,
          POSTERN_MAIL_WEBHOOK_SECRET: randomBytes(32).toString('base64'),
          POSTERN_SMS_TRANSPORTS: 'webhook',
          POSTERN_SMS_WEBHOOK_URL: `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`,
          POSTERN_SMS_WEBHOOK_SECRET: randomBytes(32).toString('base64'),
        },
      });
    },
    mailed: async (to, letter) => {
      const newest = () => inbox.findLast((one) => one.to === to && one.letter === letter);
      await expect.poll(() => newest() !== undefined, { timeout: 20_000 }).toBe(true);
      return newest()?.values ?? {};
    },
    close: async () => {
      await issuer.close();
      await new Promise<void>((resolve) => webhook.close(() => resolve()));
    },
  };
}

/** Tells it; what was asked and answered, with stand-ins for what is never the same. */
export async function tellStory(
  { server, mailed, issuer }: Pick<Stage, 'mailed' | 'issuer'> & { readonly server: Server },
  send: Send,
): Promise<unknown[]> {
  const values = new Map<string, string>();
  const live = (text: string): string => {
    let filled = text.replaceAll('http://127.0.0.1:7400', server.url);
    const longestFirst = [...values].sort(([a], [b]) => b.length - a.length);
    for (const [name, value] of longestFirst) filled = filled.replaceAll(name, value);
    return filled;
  };
  const keep = (given: Record<string, unknown>): void => {
    for (const [name, value] of Object.entries(given)) values.set(name, String(value));
  };
  const recorded: unknown[] = [];
  const step = async (given: Step): Promise<Answered['answer']> => {
    const { status, answer } = await send(given, live);
    expect([given.route, given.title, status, answer]).toEqual([
      given.route,
      given.title,
      given.status,
      answer,
    ]);
    const { shown = (whole) => whole, ...made } = given;
    recorded.push({
      ...made,
      ...(answer === undefined ? {} : { answer: normal(shown(answer)) }),
    });
    return answer;
  };
  const token = 'ACCESS_TOKEN';
  const signedIn = (answer: {
    access_token: string;
    refresh_token: string;
    session_id: string;
  }): void =>
    keep({
      ACCESS_TOKEN: answer.access_token,
      REFRESH_TOKEN: answer.refresh_token,
      SESSION_ID: answer.session_id,
    });

  // Registering.
  const ada = { username: 'ada', password: PASSWORD };
  signedIn(await step({ route: 'POST /register', title: 'By username', body: ada, status: 201 }));
  await step({ route: 'POST /register', title: 'A name that is taken', body: ada, status: 409 });
  await step({
    route: 'POST /register',
    title: 'A common password',
    body: { username: 'bob', password: 'password1234567' },
    status: 422,
  });
  const grace = { email: 'grace@example.com', password: PASSWORD };
  const begun = await step({
    route: 'POST /register',
    title: 'By email address',
    body: grace,
    status: 202,
  });
  keep({
    REGISTRATION_ID: begun.registration_id,
    CODE: (await mailed(grace.email, 'verify_registration'))['code'],
  });
  await step({
    route: 'POST /register/resend',
    title: 'Another code',
    body: { registration_id: 'REGISTRATION_ID' },
    status: 202,
  });
  await step({
    route: 'POST /register/verify',
    title: 'With the code of the email',
    body: { registration_id: 'REGISTRATION_ID', code: 'CODE' },
    status: 201,
  });

  // Without a password.
  const page = { origin: 'http://localhost:7400', rpId: 'localhost' };
  const starting = await step({
    route: 'POST /register/passkey/options',
    title: 'For an account without a password',
    body: { username: 'hopper' },
    status: 200,
  });
  const first = create(starting.options, page).credential;
  keep({
    CHALLENGE_ID: starting.challenge_id,
    CREDENTIAL_ID: first.id,
    CLIENT_DATA: first.response.clientDataJSON,
    ATTESTATION: first.response.attestationObject,
  });
  const keyholder = await step({
    route: 'POST /register',
    title: 'With a passkey instead of a password',
    body: {
      username: 'hopper',
      passkey: {
        challenge_id: 'CHALLENGE_ID',
        credential: {
          id: 'CREDENTIAL_ID',
          rawId: 'CREDENTIAL_ID',
          type: 'public-key',
          response: { clientDataJSON: 'CLIENT_DATA', attestationObject: 'ATTESTATION' },
          clientExtensionResults: {},
        },
      },
    },
    status: 201,
  });
  keep({ RECOVERY_CODE: keyholder.recovery_codes[0] });
  await step({
    route: 'POST /login/recovery-code',
    title: 'When the passkey is lost',
    body: { username: 'hopper', recovery_code: 'RECOVERY_CODE' },
    status: 200,
  });

  await step({
    route: 'POST /register',
    title: 'With nothing to sign in with yet',
    body: { anonymous: true },
    status: 201,
  });

  // Signing in, the session, the account.
  signedIn(await step({ route: 'POST /login', title: 'With a password', body: ada, status: 200 }));
  await step({
    route: 'POST /login',
    title: 'A wrong password',
    body: { username: 'ada', password: 'not the right one' },
    status: 401,
  });
  signedIn(
    await step({
      route: 'POST /refresh',
      title: 'With the refresh token',
      body: { refresh_token: 'REFRESH_TOKEN' },
      status: 200,
    }),
  );
  await step({ route: 'GET /me', title: 'Who is signed in', token, status: 200 });
  await step({
    route: 'PATCH /me',
    title: 'Another display name',
    token,
    body: { display_name: 'Ada Lovelace' },
    status: 200,
  });
  await step({
    route: 'PATCH /me',
    title: 'An email address, pending until verified',
    token,
    body: { email: 'ada@example.com' },
    status: 200,
  });
  keep({ CODE: (await mailed('ada@example.com', 'verify_address'))['code'] });
  await step({ route: 'POST /email/verify/resend', title: 'Another code', token, status: 202 });
  await step({
    route: 'POST /email/verify',
    title: 'With the code of the email',
    token,
    body: { code: 'CODE' },
    status: 200,
  });
  await step({
    route: 'POST /password/check',
    title: 'A weak one',
    body: { password: 'ada-lovelace-2026', username: 'ada' },
    status: 200,
  });
  await step({
    route: 'POST /password/check',
    title: 'A good one',
    body: { password: NEXT_PASSWORD },
    status: 200,
  });
  await step({
    route: 'POST /me/password',
    title: 'Change it',
    token,
    body: { current_password: PASSWORD, new_password: NEXT_PASSWORD },
    status: 204,
  });
  const login = { username: 'ada', password: NEXT_PASSWORD };
  keep({ OTHER_SESSION: (await server.login('ada', NEXT_PASSWORD)).body.session_id });
  await step({ route: 'GET /me/sessions', title: 'All that are alive', token, status: 200 });
  await step({
    route: 'DELETE /me/sessions/{id}',
    title: 'End another one',
    path: '/me/sessions/OTHER_SESSION',
    token,
    status: 204,
  });

  // An authenticator app and recovery codes.
  const { secret } = await step({
    route: 'POST /me/totp',
    title: 'Begin: show the secret as a QR code',
    token,
    status: 201,
  });
  keep({ TOTP_CODE: codeAt(secret, Date.now()) });
  const confirmed = await step({
    route: 'POST /me/totp/confirm',
    title: 'Confirm by a code of the app',
    token,
    body: { code: 'TOTP_CODE' },
    status: 200,
  });
  await step({ route: 'GET /me/factors', title: 'What the user has', token, status: 200 });
  const challenged = await step({
    route: 'POST /login',
    title: 'A second factor is due',
    body: login,
    status: 200,
  });
  keep({
    CHALLENGE_TOKEN: challenged.challenge_token,
    TOTP_CODE: codeAt(secret, Date.now() + 30_000),
    RECOVERY_CODE: confirmed.recovery_codes[0],
  });
  await step({
    route: 'POST /login/mfa',
    title: 'A wrong code',
    body: { challenge_token: 'CHALLENGE_TOKEN', recovery_code: 'wrong-code' },
    status: 401,
  });
  signedIn(
    await step({
      route: 'POST /login/mfa',
      title: 'With a code of the app',
      body: { challenge_token: 'CHALLENGE_TOKEN', totp: 'TOTP_CODE' },
      status: 200,
    }),
  );
  signedIn(
    await step({
      route: 'POST /reauthenticate',
      title: 'With a recovery code',
      token,
      body: { recovery_code: 'RECOVERY_CODE' },
      status: 200,
    }),
  );
  await step({ route: 'POST /me/recovery-codes', title: 'Ten new ones', token, status: 200 });

  // Passkeys.
  const origin = { origin: 'http://localhost:7400', rpId: 'localhost' };
  const making = await step({
    route: 'POST /me/passkeys/options',
    title: 'Options for the browser',
    token,
    status: 200,
  });
  const { made, credential } = create(making.options, origin);
  keep({
    CHALLENGE_ID: making.challenge_id,
    CREDENTIAL_ID: credential.id,
    CLIENT_DATA: credential.response.clientDataJSON,
    ATTESTATION: credential.response.attestationObject,
  });
  const passkey = await step({
    route: 'POST /me/passkeys',
    title: 'Add what the authenticator made',
    token,
    body: {
      challenge_id: 'CHALLENGE_ID',
      name: 'Laptop',
      credential: {
        id: 'CREDENTIAL_ID',
        rawId: 'CREDENTIAL_ID',
        type: 'public-key',
        response: { clientDataJSON: 'CLIENT_DATA', attestationObject: 'ATTESTATION' },
        clientExtensionResults: {},
      },
    },
    status: 201,
  });
  keep({ PASSKEY_ID: passkey.id });
  await step({
    route: 'PATCH /me/passkeys/{id}',
    title: 'Rename it',
    path: '/me/passkeys/PASSKEY_ID',
    token,
    body: { name: 'Old laptop' },
    status: 200,
  });
  const asked = await step({
    route: 'POST /login/passkey/options',
    title: 'Without a name',
    body: {},
    status: 200,
  });
  const answer = (with_: MadeCredential, options: { challenge: string }, challengeId: string) => {
    const { id, response } = assert(with_, options, origin);
    keep({
      CHALLENGE_ID: challengeId,
      CREDENTIAL_ID: id,
      CLIENT_DATA: response.clientDataJSON,
      AUTHENTICATOR_DATA: response.authenticatorData,
      SIGNATURE: response.signature,
      USER_HANDLE: response.userHandle,
    });
  };
  answer(made, asked.options, asked.challenge_id);
  signedIn(
    await step({
      route: 'POST /login/passkey',
      title: 'With the answer of the authenticator',
      body: {
        challenge_id: 'CHALLENGE_ID',
        credential: {
          id: 'CREDENTIAL_ID',
          rawId: 'CREDENTIAL_ID',
          type: 'public-key',
          response: {
            clientDataJSON: 'CLIENT_DATA',
            authenticatorData: 'AUTHENTICATOR_DATA',
            signature: 'SIGNATURE',
            userHandle: 'USER_HANDLE',
          },
          clientExtensionResults: {},
        },
      },
      status: 200,
    }),
  );
  keep({ CHALLENGE_TOKEN: (await server.login('ada', NEXT_PASSWORD)).body.challenge_token });
  await step({
    route: 'POST /login/mfa/passkey/options',
    title: 'As a second factor',
    body: { challenge_token: 'CHALLENGE_TOKEN' },
    status: 200,
  });
  await step({
    route: 'POST /reauthenticate/passkey/options',
    title: 'Within the session',
    token,
    status: 200,
  });
  await step({ route: 'DELETE /me/totp', title: 'Remove the app', token, status: 204 });
  await step({
    route: 'DELETE /me/passkeys/{id}',
    title: 'Remove it',
    path: '/me/passkeys/PASSKEY_ID',
    token,
    status: 204,
  });

  // A code by email.
  const { otp_id } = await step({
    route: 'POST /login/otp',
    title: 'Ask for a code',
    body: { email: 'ada@example.com' },
    status: 202,
  });
  const invited = await mailed('ada@example.com', 'sign_in_link');
  const { hash } = new URL(invited['link'] ?? '');
  keep({
    OTP_ID: otp_id,
    SIGN_IN_CODE: invited['code'],
    LINK_TOKEN: new URLSearchParams(hash.slice(1)).get('token'),
  });
  await step({
    route: 'POST /login/link',
    title: 'Opened on another device',
    body: { token: 'LINK_TOKEN' },
    status: 409,
  });
  await step({
    route: 'POST /login/otp/verify',
    title: 'With the code of the email',
    body: { otp_id: 'OTP_ID', code: 'SIGN_IN_CODE' },
    status: 200,
  });
  await step({
    route: 'POST /login/link',
    title: 'The code was used, and with it the link',
    body: { token: 'LINK_TOKEN', otp_id: 'OTP_ID' },
    status: 410,
  });

  // An identity at an outside provider.
  const proof = { id_token: 'ID_TOKEN', nonce: 'NONCE' };
  const beginAtProvider = async (title: string): Promise<void> => {
    const { nonce } = await step({
      route: 'POST /login/external/{provider}/nonce',
      title,
      path: '/login/external/google/nonce',
      status: 200,
    });
    const claims = { sub: '10769150350006150715113082367', email: 'ada@example.com', nonce };
    keep({ ID_TOKEN: await issuer.idToken(claims), NONCE: nonce });
  };
  const atGoogle = { issuer: 'https://accounts.google.com' };
  await beginAtProvider('Before the provider is asked');
  await step({
    route: 'POST /me/identities/{provider}',
    title: 'Link it to the account',
    path: '/me/identities/google',
    token,
    body: proof,
    status: 201,
    shown: (identity) => ({ ...identity, ...atGoogle }),
  });
  await beginAtProvider('For the next sign-in');
  await step({
    route: 'POST /login/external/{provider}',
    title: 'With the ID token',
    path: '/login/external/google',
    body: proof,
    status: 200,
  });
  const leaving = await step({
    route: 'POST /login/external/{provider}/start',
    title: 'Without a library of the provider: start a code flow',
    path: '/login/external/google/start',
    status: 200,
    shown: (started) => ({
      ...started,
      url: 'https://accounts.google.com/o/oauth2/v2/auth?client_id=…&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&state=…&code_challenge=…',
    }),
  });
  const sentAlong = new URL(leaving.url).searchParams;
  const id_token = await issuer.idToken({
    sub: '10769150350006150715113082367',
    nonce: sentAlong.get('nonce'),
  });
  const tokens = { access_token: 'x', token_type: 'Bearer', id_token };
  issuer.instead.set('/token', { status: 200, body: JSON.stringify(tokens) });
  keep({ AUTHORIZATION_CODE: '4/0AX4XfWh', STATE: sentAlong.get('state'), FLOW: leaving.flow });
  await step({
    route: 'POST /login/external/{provider}',
    title: 'With the code that came back to the page',
    path: '/login/external/google',
    body: { code: 'AUTHORIZATION_CODE', state: 'STATE', flow: 'FLOW' },
    status: 200,
  });
  await step({
    route: 'GET /me/identities',
    title: 'Which ones are linked',
    token,
    status: 200,
    shown: ({ identities }) => ({
      identities: identities.map((identity: object) => ({ ...identity, ...atGoogle })),
    }),
  });
  await step({
    route: 'DELETE /me/identities/{provider}',
    title: 'Unlink it',
    path: '/me/identities/google',
    token,
    status: 204,
  });

  // A telephone number.
  const phone = '+4915123456789';
  const wanted = await step({
    route: 'POST /me/phone',
    title: 'Set it',
    token,
    body: { phone: '+49 151 23456789' },
    status: 202,
  });
  keep({
    PHONE_OTP_ID: wanted.otp_id,
    PHONE_CODE: (await mailed(phone, 'sms_phone_code'))['code'],
  });
  await step({
    route: 'POST /me/phone/verify',
    title: 'With the code of the message',
    token,
    body: { otp_id: 'PHONE_OTP_ID', code: 'PHONE_CODE' },
    status: 200,
  });
  await step({
    route: 'POST /login/otp',
    title: 'Ask for a code in a text message',
    body: { phone },
    status: 202,
  });
  await step({ route: 'DELETE /me/phone', title: 'Remove it', token, status: 204 });

  // Services.
  await step({ route: 'GET /verify', title: 'As a reverse proxy asks', token, status: 204 });
  await step({
    route: 'POST /verify',
    title: 'A token that is good',
    body: { token },
    status: 200,
  });
  const key = await server.cli(['apikey', 'create', 'docs', '--scope', 'introspect']);
  const [keyId, keySecret] = key.stdout.trim().split(':');
  keep({ KEY_ID: keyId, KEY_SECRET: keySecret });
  await step({
    route: 'POST /introspect',
    title: 'A token that is good',
    basic: 'KEY_ID:KEY_SECRET',
    form: { token },
    status: 200,
  });
  const service = await server.cli([
    ...['apikey', 'create', 'gateway', '--scope', 'exchange'],
    ...['--audience', AUDIENCE, '--may-exchange-to', AUDIENCE],
  ]);
  const [serviceId, serviceSecret] = service.stdout.trim().split(':');
  keep({ SERVICE_KEY_ID: serviceId, SERVICE_SECRET: serviceSecret });
  await step({
    route: 'POST /token',
    title: 'For the service itself',
    basic: 'SERVICE_KEY_ID:SERVICE_SECRET',
    form: { grant_type: 'client_credentials', resource: AUDIENCE, scope: 'invoices:read' },
    status: 200,
  });
  await step({
    route: 'POST /token',
    title: 'For a user whose token it has',
    basic: 'SERVICE_KEY_ID:SERVICE_SECRET',
    form: {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      resource: AUDIENCE,
    },
    status: 200,
  });
  await step({
    route: 'POST /revoke',
    title: 'A refresh token',
    basic: 'KEY_ID:KEY_SECRET',
    form: { token: 'REFRESH_TOKEN' },
    status: 200,
  });
  const receiver = await server.cli(['apikey', 'create', 'receiver', '--scope', 'events']);
  const [receiverId, receiverSecret] = receiver.stdout.trim().split(':');
  keep({ EVENTS_KEY_ID: receiverId, EVENTS_SECRET: receiverSecret });
  await step({
    route: 'POST /events/{stream}/poll',
    title: 'Acknowledging, and fetching none',
    path: '/events/billing/poll',
    basic: 'EVENTS_KEY_ID:EVENTS_SECRET',
    body: { maxEvents: 0, ack: ['01a1fe1f-4f57-71f1-8260-39b2a9e7b97e'] },
    status: 200,
  });
  await step({ route: 'GET /healthz', title: 'Alive', status: 200 });
  await step({ route: 'GET /readyz', title: 'Ready', status: 200 });
  const { keys } = await step({
    route: 'GET /.well-known/jwks.json',
    title: 'The keys',
    status: 200,
  });
  keep({ KEY_NAME: keys[0].kid });
  await step({
    route: 'GET /keys/{kid}.pem',
    title: 'One of them',
    path: '/keys/KEY_NAME.pem',
    status: 200,
  });
  await step({
    route: 'GET /status-lists/{n}',
    title: 'The first list',
    path: '/status-lists/0',
    status: 200,
  });
  await step({ route: 'GET /', title: 'Where to go on', status: 200 });
  for (const name of ['oauth-authorization-server', 'openid-configuration', 'passkey-endpoints'])
    await step({ route: `GET /.well-known/${name}`, title: 'The document', status: 200 });
  await step({
    route: 'GET /openapi.json',
    title: 'Its beginning',
    status: 200,
    shown: ({ openapi, info: { title, version } }) => ({ openapi, info: { title, version } }),
  });

  // Forgotten passwords, and the end.
  await step({
    route: 'POST /password/forgot',
    title: 'Ask for a link',
    body: { username: 'ada@example.com' },
    status: 202,
  });
  keep({ RESET_TOKEN: (await mailed('ada@example.com', 'reset_password'))['token'] });
  await step({
    route: 'POST /password/reset/check',
    title: 'Whether the link is still good',
    body: { token: 'RESET_TOKEN' },
    status: 204,
  });
  await step({
    route: 'POST /password/reset',
    title: 'Set a new one',
    body: { token: 'RESET_TOKEN', password: PASSWORD },
    status: 204,
  });
  await step({
    route: 'POST /password/reset',
    title: 'The link again',
    body: { token: 'RESET_TOKEN', password: PASSWORD },
    status: 410,
  });
  signedIn((await server.login('ada', PASSWORD)).body);
  await step({
    route: 'POST /logout',
    title: 'One session',
    body: { refresh_token: 'REFRESH_TOKEN' },
    status: 204,
  });
  signedIn((await server.login('ada', PASSWORD)).body);
  await step({ route: 'POST /logout/all', title: 'All of them', token, status: 204 });
  await step({ route: 'GET /me', title: 'After signing out', token, status: 401 });
  signedIn((await server.login('ada', PASSWORD)).body);
  await step({ route: 'DELETE /me', title: 'Delete it', token, status: 204 });
  return recorded;
}
