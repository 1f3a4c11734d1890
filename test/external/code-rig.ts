/** An app with a real provider and one that is shaped as a test wants it, for codes. */
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';
import { createTestApp } from '../support/app.ts';
import type { Reply, TestApp, TestClock } from '../support/app.ts';
import { freePort } from '../support/peers.ts';
import { openTab } from './browser.ts';
import type { CameBack, Tab } from './browser.ts';
import { startShaped } from './shaped.ts';
import type { Shaped } from './shaped.ts';

export const CLIENT_ID = 'shop-web';
export const CLIENT_SECRET = 'planted-client-secret-of-the-shop';
export const CALLBACK = 'https://shop.example.com/callback';
export const OTHER_CALLBACK = 'https://shop.example.com/other';
export const TENANT = '8eaef023-2b34-4da1-9baa-8bc8c9d6a490';
export const OTHER_TENANT = '11111111-2b34-4da1-9baa-8bc8c9d6a490';

export interface CodeProof {
  readonly code: string;
  readonly state: string;
  readonly flow: string;
  readonly iss?: string;
}

export interface CodeRig {
  readonly app: TestApp;
  readonly shaped: Shaped;
  /** Of the real provider. */
  readonly issuer: string;
  start(provider: string, body?: object): Promise<Reply>;
  /** A started sign-in at the real provider, and what it came back with. */
  proof(login: string, tab?: Tab): Promise<CodeProof>;
  /** The same at the shaped one, which does not look at the browser. */
  shapedProof(provider: string): Promise<CodeProof & { readonly asked: URLSearchParams }>;
  tab(): Tab;
  present(provider: string, proof: object): Promise<Reply>;
  stop(): Promise<void>;
}

/** A real provider: its every user may sign in, and consents to everything. */
async function startOidc(issuer: string): Promise<() => void> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'first' };
  const provider = new Provider(issuer, {
    jwks: { keys: [key] },
    cookies: { keys: ['a key of this test'] },
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'locale', 'picture'],
    },
    conformIdTokenClaims: false,
    pkce: { required: () => false },
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: [CALLBACK, OTHER_CALLBACK],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({
        sub: id,
        email: `${id}@example.com`,
        email_verified: true,
        name: 'Grace Hopper',
        locale: 'en-US',
        picture: 'https://example.com/grace.png',
      }),
    }),
  });
  const server = createServer(provider.callback());
  await new Promise<void>((resolve) => {
    server.listen(Number(new URL(issuer).port), '127.0.0.1', resolve);
  });
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

/** Runs by the machine's time, like the provider, and can be moved. */
function movableClock(): TestClock {
  let ahead = 0;
  return {
    now: () => Date.now() + ahead,
    monotonic: () => performance.now() + ahead,
    advance: (milliseconds) => {
      ahead += milliseconds;
    },
  };
}

export async function startCodeRig(): Promise<CodeRig> {
  const issuer = `http://127.0.0.1:${await freePort()}`;
  const closeOidc = await startOidc(issuer);
  const shaped = await startShaped();
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
  const common = `redirect_uris = ["${CALLBACK}"]\nclient_secret = "${CLIENT_SECRET}"\n`;
  const app = await createTestApp({
    clock: movableClock(),
    config: `[external.work]
issuer = "${issuer}"
client_ids = ["${CLIENT_ID}", "shop-app"]
redirect_uris = ["${CALLBACK}", "${OTHER_CALLBACK}"]
client_secret = "${CLIENT_SECRET}"
metadata_claims = ["locale", "avatar=picture", "absent"]
[external.github]
issuer = "${shaped.url}/login/oauth"
api_url = "${shaped.url}/api"
client_ids = ["Iv1.abc"]
${common}
[external.facebook]
issuer = "${shaped.url}/fb"
api_url = "${shaped.url}/graph"
client_ids = ["1234567890"]
${common}
[external.tenants]
preset = "microsoft"
issuer = "${shaped.url}/{tenantid}/v2.0"
tenants = ["${TENANT}", "${OTHER_TENANT}"]
client_ids = ["app-of-many"]
${common}
[external.apple]
issuer = "${shaped.url}/apple"
jwks_url = "${shaped.url}/keys"
client_ids = ["com.example.shop"]
redirect_uris = ["${CALLBACK}"]
team_id = "DEF123GHIJ"
key_id = "ABC123DEFG"
scopes = ["email"]
private_key = """
${key}"""
[external.linkedin]
issuer = "${shaped.url}/linkedin"
client_ids = ["86abc"]
${common}
[external.tokens]
issuer = "${issuer}"
client_ids = ["shop-app"]
`,
  });
  const start: CodeRig['start'] = (provider, body) =>
    app.call('POST', `/login/external/${provider}/start`, body === undefined ? {} : { body });
  const tab = (): Tab => openTab(CALLBACK);
  const answerOf = ({ code = '', state = '', iss }: CameBack, flow: string): CodeProof => ({
    code,
    state,
    flow,
    ...(iss === undefined ? {} : { iss }),
  });
  return {
    app,
    shaped,
    issuer,
    start,
    tab,
    proof: async (login, own = tab()) => {
      const { body } = await start('work', { redirect_uri: CALLBACK });
      return answerOf(await own.signIn(body.url, login), body.flow);
    },
    shapedProof: async (provider) => {
      const { body } = await start(provider);
      const asked = new URL(body.url).searchParams;
      return { code: 'the-code', state: asked.get('state') ?? '', flow: body.flow, asked };
    },
    present: (provider, proof) => {
      const { asked: _, ...body } = Object(proof);
      return app.call('POST', `/login/external/${provider}`, { body });
    },
    stop: async () => {
      await app.stop();
      await shaped.close();
      closeOidc();
    },
  };
}
