/** The client: signing in, keeping the session, and calling with it. */
import type { Authenticated, Authentication, MfaRequired, Passkey, Routes, User } from './api.ts';
import { answerOf, send } from './http.ts';
import type { Fetch, Patience } from './http.ts';
import { receiveCode } from './otp.ts';
import { canOfferPasskeys, createPasskey, offerPasskeys, usePasskey } from './passkey.ts';
import { sessionKeeper } from './session.ts';
import type { Session, SessionStorage } from './storage.ts';
import { memoryStorage } from './storage.ts';

export interface ClientOptions {
  /** Of the service, such as https://auth.example.com. */
  readonly url: string;
  /** Default: memory, which ends with the page. */
  readonly storage?: SessionStorage;
  /** The browser holds the refresh token; needs cookies.enabled, and a page of the same site. */
  readonly cookie?: boolean;
  readonly fetch?: Fetch;
  readonly patience?: Partial<Patience>;
  readonly now?: () => number;
}

type Body<Name extends keyof Routes> = Routes[Name]['body'];
type Reply<Name extends keyof Routes> = Routes[Name]['reply'];
type Registered = Reply<'POST /register/verify'>;

/** What a call needs beside the name of its route. */
export interface CallOptions<Name extends keyof Routes> {
  readonly body?: Body<Name>;
  /** What stands in the place of `{…}` in the path. */
  readonly params?: Readonly<Record<string, string>>;
}

export type SecondFactor = Pick<Body<'POST /login/mfa'>, 'totp' | 'recovery_code' | 'password'>;

/** Of an account without a second factor: what it signs in with. */
export type FirstFactor = Pick<
  Body<'POST /reauthenticate'>,
  'email_code' | 'sms_code' | 'external'
>;

/** Of an account that is created with a passkey: a username, or an email address. */
export type NewPasskeyAccount = Body<'POST /register/passkey/options'> & {
  /** Of the passkey, for the user. */
  readonly passkey_name?: string;
};

/**
 * `id_token` and `nonce`; or the `code`, `state` and, if there is one, `iss` that came back, with the
 * `flow` of startExternal.
 */
export type ExternalProof = Pick<
  Body<'POST /login/external/{provider}'>,
  'id_token' | 'nonce' | 'code' | 'state' | 'iss' | 'flow'
>;

export interface Client {
  /** By username: signed in. By email address alone: 'verification_required', see verifyRegistration. */
  register(body: Body<'POST /register'>): Promise<Reply<'POST /register'>>;
  verifyRegistration(body: Body<'POST /register/verify'>): Promise<Registered>;
  /** Switch on `status`: 'mfa_required' continues with presentFactor or presentPasskey. */
  signIn(body: Body<'POST /login'>): Promise<Authentication>;
  presentFactor(pending: MfaRequired, factor: SecondFactor): Promise<Authentication>;
  presentPasskey(pending: MfaRequired): Promise<Authentication>;
  signInWithPasskey(username?: string): Promise<Authentication>;
  /**
   * Offers passkeys in the autofill of a field with autocomplete="username webauthn", until one is
   * chosen; null where the browser can't, or when it was aborted. Any other use of passkeys ends it.
   */
  offerPasskeys(signal?: AbortSignal): Promise<Authentication | null>;
  /** With `recovery_codes` in the answer, or 'verification_required' for an address. */
  registerWithPasskey(account: NewPasskeyAccount): Promise<Reply<'POST /register'>>;
  /** When the passkey is lost. */
  signInWithRecoveryCode(body: Body<'POST /login/recovery-code'>): Promise<Authentication>;
  /**
   * To an email address, or as a text message to `{ phone }`. Keep otp_id: the code, and a link, are
   * worth nothing without it.
   */
  requestCode(to: string | Body<'POST /login/otp'>): Promise<Reply<'POST /login/otp'>>;
  /**
   * The code of a text message, as the browser reads it (WebOTP); null where no browser does, and
   * when the signal is aborted. Offer it beside a field with autocomplete="one-time-code".
   */
  receiveCode(signal?: AbortSignal): Promise<string | null>;
  signInWithCode(body: Body<'POST /login/otp/verify'>): Promise<Authentication>;
  /** 'other_device' when otp_id is not that of the device that asked: the code is typed there. */
  signInWithLink(body: Body<'POST /login/link'>): Promise<Authentication>;
  /** For the request to the provider; good for one sign-in or one link. */
  externalNonce(provider: string): Promise<string>;
  /** Keep `flow` in sessionStorage and go to `url`; good for one sign-in or one link. */
  startExternal(
    provider: string,
    redirectUri?: string,
  ): Promise<Reply<'POST /login/external/{provider}/start'>>;
  signInExternally(provider: string, proof: ExternalProof): Promise<Authentication>;
  /** Sends a code to the number; keep otp_id. */
  setPhone(phone: string): Promise<Reply<'POST /me/phone'>>;
  verifyPhone(body: Body<'POST /me/phone/verify'>): Promise<User>;
  removePhone(): Promise<void>;
  addPasskey(name?: string): Promise<Passkey>;
  /** Step-up: a factor again, after 'insufficient_user_authentication'; then repeat the call. */
  reauthenticate(factor: SecondFactor | FirstFactor): Promise<Authenticated>;
  reauthenticateWithPasskey(): Promise<Authenticated>;
  /** Ends the session here and, if it can be reached, at the service. */
  signOut(): Promise<void>;
  me(): Promise<User>;
  /** One that still holds for a while, refreshed if need be; null when signed out. */
  accessToken(): Promise<string | null>;
  /** fetch with the access token, for your own API; a 401 is tried once more with a new token. */
  fetch: Fetch;
  /** Any route of the service, typed. @throws {PosternError} */
  call<Name extends keyof Routes>(name: Name, options?: CallOptions<Name>): Promise<Reply<Name>>;
  /** Told of each new session and of its end, in whichever tab it happens. */
  onChange(listener: (session: Session | null) => void): () => void;
  close(): void;
}

/** Routes after which nobody is signed in here any more. */
const ENDS: ReadonlySet<string> = new Set(['POST /logout/all', 'DELETE /me']);

const WAIT: Patience = {
  retries: 2,
  maxRetryAfter: 10,
  wait: (milliseconds) => new Promise((resolve) => void setTimeout(resolve, milliseconds)),
};

export function createClient(options: ClientOptions): Client {
  const { storage = memoryStorage(), cookie = false, now = Date.now } = options;
  const url = options.url.replace(/\/$/, '');
  const doFetch: Fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const patience = { ...WAIT, ...options.patience };

  /** One call without the session. */
  const plain = async (method: string, path: string, init: RequestInit, body?: unknown) => {
    const headers = new Headers(init.headers);
    if (body !== undefined) headers.set('content-type', 'application/json');
    return doFetch(url + path, {
      ...init,
      method,
      headers,
      ...(cookie ? { credentials: 'include' } : {}),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  };
  const ask = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const isSafe = { again: method === 'GET' || path === '/refresh' };
    return answerOf(await send(() => plain(method, path, {}, body), patience, isSafe));
  };

  const keeper = sessionKeeper({
    name: `postern:${url}`,
    storage,
    hasCookie: cookie,
    now,
    refresh: (session) =>
      ask(
        'POST',
        '/refresh',
        cookie ? { cookie } : { refresh_token: session?.refreshToken },
      ) as Promise<Authenticated>,
  });

  const fresh = async (): Promise<Session | null> => {
    const session = await keeper.read();
    if (session !== null && keeper.isFresh(session)) return session;
    return session === null && !cookie ? null : keeper.renew(session?.accessToken);
  };

  /** @param attempt one try with a token, or with none */
  const withSession = async (
    attempt: (headers: Record<string, string>) => Promise<Response>,
  ): Promise<Response> => {
    const session = await fresh();
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
    const response = await attempt(session === null ? {} : bearer(session.accessToken));
    if (response.status !== 401 || session === null) return response;
    // A step-up is no matter of the token (RFC 9470).
    const challenge = response.headers.get('www-authenticate') ?? '';
    if (challenge.includes('insufficient_user_authentication')) return response;
    const next = await keeper.renew(session.accessToken);
    return next === null ? response : attempt(bearer(next.accessToken));
  };

  const signedIn = async <T>(asked: Promise<unknown>): Promise<T> => {
    const reply = (await asked) as Authentication;
    if (reply.status === 'authenticated') await keeper.keep(reply);
    return reply as T;
  };
  const cookieBody = (body: object): object => ({ ...(cookie ? { cookie } : {}), ...body });
  /** What each sign-in says: how the refresh token comes, and which device this is. */
  const signInBody = async (body: object): Promise<object> => {
    const deviceToken = cookie ? null : await keeper.device();
    return { ...(deviceToken === null ? {} : { device_token: deviceToken }), ...cookieBody(body) };
  };

  const call: Client['call'] = async (name, { body, params = {} } = {}) => {
    const [method = '', template = ''] = name.split(' ');
    const path = template.replace(/\{(\w+)\}/g, (_, key) => encodeURIComponent(params[key] ?? ''));
    const isSafe = { again: method === 'GET' };
    const response = await withSession((headers) =>
      send(() => plain(method, path, { headers }, body), patience, isSafe),
    );
    const reply = (await answerOf(response)) as Partial<Authenticated> | undefined;
    const device = response.headers.get('device-token');
    if (device !== null) await keeper.keepDevice(device);
    if (reply?.status === 'authenticated') await keeper.keep(reply as Authenticated);
    if (ENDS.has(name)) await keeper.write(null);
    return reply as never;
  };

  return {
    register: async (body) => signedIn(ask('POST', '/register', cookieBody(body))),
    verifyRegistration: async (body) => signedIn(ask('POST', '/register/verify', cookieBody(body))),
    signIn: async (body) => signedIn(ask('POST', '/login', await signInBody(body))),
    presentFactor: async ({ challenge_token }, factor) =>
      signedIn(ask('POST', '/login/mfa', cookieBody({ challenge_token, ...factor }))),
    presentPasskey: async ({ challenge_token }) => {
      const begun = (await ask('POST', '/login/mfa/passkey/options', {
        challenge_token,
      })) as Reply<'POST /login/mfa/passkey/options'>;
      const credential = await usePasskey(begun.options);
      const passkey = { challenge_id: begun.challenge_id, credential };
      return signedIn(ask('POST', '/login/mfa', cookieBody({ challenge_token, passkey })));
    },
    offerPasskeys: async (signal) => {
      if (!(await canOfferPasskeys())) return null;
      for (;;) {
        const begun = (await ask(
          'POST',
          '/login/passkey/options',
          {},
        )) as Reply<'POST /login/passkey/options'>;
        const credential = await offerPasskeys(begun.options, signal);
        if (credential === 'aborted') return null;
        // Too old by now to be answered.
        if (credential === 'expired') continue;
        const body = { challenge_id: begun.challenge_id, credential };
        return signedIn(ask('POST', '/login/passkey', cookieBody(body)));
      }
    },
    registerWithPasskey: async ({ passkey_name: name, ...account }) => {
      const begun = (await ask(
        'POST',
        '/register/passkey/options',
        account,
      )) as Reply<'POST /register/passkey/options'>;
      const credential = await createPasskey(begun.options);
      const named = name === undefined ? {} : { name };
      const passkey = { challenge_id: begun.challenge_id, credential, ...named };
      return signedIn(ask('POST', '/register', cookieBody({ ...account, passkey })));
    },
    signInWithRecoveryCode: async (body) =>
      signedIn(ask('POST', '/login/recovery-code', await signInBody(body))),
    requestCode: async (to) =>
      (await ask(
        'POST',
        '/login/otp',
        typeof to === 'string' ? { email: to } : to,
      )) as Reply<'POST /login/otp'>,
    receiveCode,
    signInWithCode: async (body) =>
      signedIn(ask('POST', '/login/otp/verify', await signInBody(body))),
    signInWithLink: async (body) => signedIn(ask('POST', '/login/link', await signInBody(body))),
    externalNonce: async (provider) => {
      const path = `/login/external/${encodeURIComponent(provider)}/nonce`;
      return ((await ask('POST', path)) as Reply<'POST /login/external/{provider}/nonce'>).nonce;
    },
    startExternal: async (provider, redirect_uri) =>
      (await ask('POST', `/login/external/${encodeURIComponent(provider)}/start`, {
        ...(redirect_uri === undefined ? {} : { redirect_uri }),
      })) as Reply<'POST /login/external/{provider}/start'>,
    signInExternally: async (provider, proof) =>
      signedIn(ask('POST', `/login/external/${encodeURIComponent(provider)}`, cookieBody(proof))),
    signInWithPasskey: async (username) => {
      const named = username === undefined ? {} : { username };
      const begun = (await ask(
        'POST',
        '/login/passkey/options',
        named,
      )) as Reply<'POST /login/passkey/options'>;
      const credential = await usePasskey(begun.options);
      const body = { challenge_id: begun.challenge_id, credential };
      return signedIn(ask('POST', '/login/passkey', cookieBody(body)));
    },
    setPhone: (phone) => call('POST /me/phone', { body: { phone } }),
    verifyPhone: (body) => call('POST /me/phone/verify', { body }),
    removePhone: () => call('DELETE /me/phone'),
    addPasskey: async (name) => {
      const begun = await call('POST /me/passkeys/options');
      const credential = (await createPasskey(
        begun.options,
      )) as unknown as Body<'POST /me/passkeys'>['credential'];
      const named = name === undefined ? {} : { name };
      return call('POST /me/passkeys', {
        body: { challenge_id: begun.challenge_id, credential, ...named },
      });
    },
    reauthenticate: (factor) =>
      call('POST /reauthenticate', {
        body: cookieBody(factor) as Body<'POST /reauthenticate'>,
      }),
    reauthenticateWithPasskey: async () => {
      const begun = await call('POST /reauthenticate/passkey/options');
      const credential = await usePasskey(begun.options);
      const passkey = { challenge_id: begun.challenge_id, credential };
      return call('POST /reauthenticate', {
        body: cookieBody({ passkey }) as Body<'POST /reauthenticate'>,
      });
    },
    signOut: async () => {
      const session = await keeper.read();
      await keeper.write(null);
      if (!cookie && session === null) return;
      await ask('POST', '/logout', cookie ? {} : { refresh_token: session?.refreshToken }).catch(
        () => undefined,
      );
    },
    me: () => call('GET /me'),
    accessToken: async () => (await fresh())?.accessToken ?? null,
    fetch: (input, init) =>
      withSession((own) => {
        const headers = new Headers(init?.headers);
        for (const [name, value] of Object.entries(own)) headers.set(name, value);
        return doFetch(input, { ...init, headers });
      }),
    call,
    onChange: keeper.onChange,
    close: keeper.close,
  };
}
