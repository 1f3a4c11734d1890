/**
 * Flows: sign-ins with a code that have begun. The handle is for the page that began it, so that a
 * code works in no other browser (RFC 9700 §2.1.2, §4.7). What the provider is sent (state, nonce,
 * PKCE challenge) follows from the handle under a key, so that nothing of it has to be stored.
 */
import type { Kernel } from '../../core/kernel.ts';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import { hashSecret, randomToken } from '../../crypto/secret.ts';
import type { RefusalCode } from '../../refusal.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import type { FlowSecrets } from './code-flow.ts';
import { notAccepted } from './id-token.ts';
import type { Provider } from './provider.ts';
import { insertFlow, spendFlow } from './store.ts';

export const FLOW_TTL_SECONDS = 600;
/** Anybody can begin one; about 200 bytes each. */
const MAX_FLOWS = 20_000;

export function flowSecrets({ signingKeys }: Kernel, provider: string, flow: string): FlowSecrets {
  const of = (what: string): string =>
    keyedHash(signingKeys.derivedKey, 'external flow', provider, what, flow);
  return { state: of('state'), nonce: of('nonce'), verifier: of('verifier') };
}

/** @throws {Refusal} invalid_request: not one of those that are configured */
function chosenUri(uris: readonly string[], asked: string | undefined): string {
  const [only, ...others] = uris;
  const uri = asked === undefined && others.length === 0 ? only : uris.find((one) => one === asked);
  if (uri !== undefined) return uri;
  throw invalidRequest({
    pointer: '/redirect_uri',
    code: asked === undefined ? 'required' : 'invalid',
    detail: 'Send one of redirect_uris of this provider, exactly as it is configured.',
  });
}

export interface StartedFlow {
  readonly url: string;
  readonly flow: string;
}

/**
 * Begins a sign-in with a code.
 *
 * Its function throws {Refusal} not_found: this provider takes no codes; invalid_request,
 * overloaded, provider_unavailable.
 */
export function startFlow(kernel: Kernel) {
  return async (provider: Provider, askedUri: string | undefined): Promise<StartedFlow> => {
    if (provider.code === null) throw new Refusal('not_found');
    const redirectUri = chosenUri(provider.code.redirectUris, askedUri);
    const flow = randomToken(kernel.random);
    const url = await provider.code.url(flowSecrets(kernel, provider.name, flow), redirectUri);
    const now = kernel.clock.now();
    const expiresAt = now + FLOW_TTL_SECONDS * 1000;
    const row = { id: hashSecret(flow), provider: provider.name, redirectUri, expiresAt };
    const full: RefusalCode = 'overloaded';
    await kernel.commit.inAnySession([insertFlow(row, { now, most: MAX_FLOWS, full })]);
    return { url, flow };
  };
}

/**
 * Spends a flow: of fifty concurrent uses, one succeeds.
 *
 * @returns its redirect URI
 * @throws {Refusal} invalid_credentials: spent, expired, or of another provider
 */
export async function spend(kernel: Kernel, provider: string, flow: string): Promise<string> {
  const statement = spendFlow({ id: hashSecret(flow), provider, now: kernel.clock.now() });
  const [row] = (await kernel.commit.inAnySession([statement])).rowsOf(statement);
  if (row === undefined) throw notAccepted(new Error('the flow is spent, expired or unknown'));
  return row.redirectUri;
}
