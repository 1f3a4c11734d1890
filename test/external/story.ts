/** An app with a provider, and what a front-end does with it. */
import { createTestApp } from '../support/app.ts';
import type { Reply, TestApp, TestAppOptions } from '../support/app.ts';
import { CLIENT_ID, startIssuer } from './issuer.ts';
import type { TestIssuer } from './issuer.ts';
import { testClock } from '../support/app.ts';
import type { TestClock } from '../support/app.ts';

export interface ExternalRig {
  readonly app: TestApp;
  readonly issuer: TestIssuer;
  /** Moves what the service waits by: cool-downs and how old keys are. */
  wait(milliseconds: number): void;
  nonce(): Promise<string>;
  /** An ID token with a nonce of the service, and the request that presents it. */
  signIn(claims: Record<string, unknown>, extra?: object): Promise<Reply>;
  link(token: string, claims: Record<string, unknown>): Promise<Reply>;
  stop(): Promise<void>;
}

export async function startRig(
  options: Omit<TestAppOptions, 'clock'> & { readonly settings?: string } = {},
): Promise<ExternalRig> {
  let waited = 0;
  const standing = testClock();
  const clock: TestClock = { ...standing, monotonic: () => performance.now() + waited };
  const issuer = await startIssuer(clock.now);
  const { settings = '', config = '', ...rest } = options;
  const section = `[external.shop]\nissuer = "${issuer.url}"\nclient_ids = ["${CLIENT_ID}"]\n`;
  const app = await createTestApp({ ...rest, clock, config: `${config}\n${section}${settings}` });
  const nonce = async (): Promise<string> =>
    (await app.call('POST', '/login/external/shop/nonce')).body.nonce;
  const proof = async (claims: Record<string, unknown>): Promise<object> => {
    const own = await nonce();
    return { id_token: await issuer.idToken({ nonce: own, ...claims }), nonce: own };
  };
  return {
    app,
    issuer,
    wait: (milliseconds) => {
      waited += milliseconds;
    },
    nonce,
    signIn: async (claims, extra = {}) =>
      app.call('POST', '/login/external/shop', { body: { ...(await proof(claims)), ...extra } }),
    link: async (token, claims) =>
      app.call('POST', '/me/identities/shop', { token, body: await proof(claims) }),
    stop: async () => {
      await app.stop();
      await issuer.close();
    },
  };
}

/** The claims of a provider's user. */
export const person = (sub: string, email?: string): Record<string, unknown> => ({
  sub,
  name: 'Ada Lovelace',
  ...(email === undefined ? {} : { email, email_verified: true }),
});
