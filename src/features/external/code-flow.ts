/**
 * The authorization code flow with PKCE at one provider: where the browser is sent, and the exchange
 * of the code that it comes back with. No token of the provider is kept.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-2.1
 */
import {
  allowInsecureRequests,
  authorizationCodeGrantRequest,
  calculatePKCECodeChallenge,
  customFetch,
  nopkce,
  validateAuthResponse,
} from 'oauth4webapi';
import type { AuthorizationServer } from 'oauth4webapi';
import { constantTimeEqual } from '../../crypto/secret.ts';
import { Refusal } from '../../refusal.ts';
import { clientAuthentication } from './client-secret.ts';
import { notAccepted } from './id-token.ts';
import type { IdTokens, ProviderClaims } from './id-token.ts';
import { reportUnavailable } from './kept.ts';
import type { Kept, KeptDeps } from './kept.ts';
import type { Metadata } from './metadata.ts';
import { createTurns, fetchWhole, TIMEOUT_MS } from './outbound.ts';
import { profileAt } from './profile-api.ts';
import type { CodeOptions, ProviderOptions } from './options.ts';
import { tokensIn } from './token-answer.ts';

/** What a flow is made of, besides its handle. */
export interface FlowSecrets {
  readonly state: string;
  readonly nonce: string;
  /** PKCE (RFC 7636 §4.1); never leaves but in the exchange. */
  readonly verifier: string;
}

/** What the browser came back with. */
export interface CodeAnswer {
  readonly code: string;
  readonly state: string;
  /** RFC 9207; checked against the issuer, and demanded of providers that promise it. */
  readonly iss: string | undefined;
}

export interface CodeFlow {
  readonly redirectUris: readonly string[];
  /** Where the browser is sent. @throws {Refusal} provider_unavailable */
  url(secrets: FlowSecrets, redirectUri: string): Promise<string>;
  /**
   * The claims of the user whose code it is.
   *
   * @param spend called before the provider is asked; resolves to the redirect URI of the flow
   * @throws {Refusal} invalid_credentials, provider_unavailable, and those of `spend`
   */
  redeem(
    answer: CodeAnswer,
    secrets: FlowSecrets,
    spend: () => Promise<string>,
  ): Promise<ProviderClaims>;
}

export interface CodeFlowDeps extends KeptDeps {
  readonly metadata: Kept<Metadata>;
  /** Null for providers without ID tokens. */
  readonly idTokens: IdTokens | null;
}

const START_AGAIN =
  'The outside provider does not answer. Start the sign-in again later, or sign in another way.';

export function createCodeFlow(
  options: ProviderOptions,
  code: CodeOptions,
  deps: CodeFlowDeps,
): CodeFlow {
  const { metadata, idTokens, clock } = deps;
  const { issuer, issuers, profile } = options;
  const { clientId, scopes, redirectUris } = code;
  const client = { client_id: clientId };
  const hasPkce = code.binding === 'pkce';
  const hasNonce = hasPkce && profile === 'id_token';
  const inTurn = createTurns();

  const claimsFrom = async (response: Response, nonce: string, signal: AbortSignal) => {
    const { accessToken, idToken } = await tokensIn(response);
    if (profile !== 'id_token' || idTokens === null)
      return profileAt(options, { accessToken, clientSecret: code.clientSecret ?? '', signal });
    if (idToken === undefined) throw notAccepted(new Error('the answer has no ID token'));
    const claims = await idTokens.verify(idToken);
    // Of this flow, and for this client: not one that the provider made for an app of ours.
    const named = typeof claims['nonce'] === 'string' ? claims['nonce'] : '';
    if (hasNonce && !constantTimeEqual(named, nonce))
      throw notAccepted(new Error('the nonce is another one'));
    if (![claims['aud']].flat().includes(clientId))
      throw notAccepted(new Error('for another client'));
    return claims;
  };

  /** What is thrown once the flow is spent: a later retry of the same request can't succeed. */
  const afterwards = (error: unknown): unknown => {
    if (error instanceof Refusal && error.code !== 'provider_unavailable') return error;
    if (!(error instanceof Refusal)) reportUnavailable(deps, error);
    return new Refusal('provider_unavailable', { detail: START_AGAIN, cause: error });
  };

  return {
    redirectUris,
    url: async ({ state, nonce, verifier }, redirectUri) => {
      const { authorizationUrl } = (await metadata.get()).value;
      const url = new URL(demanded(authorizationUrl));
      const asked = {
        client_id: clientId,
        response_type: 'code',
        redirect_uri: redirectUri,
        ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
        state,
        ...(hasPkce
          ? {
              code_challenge: await calculatePKCECodeChallenge(verifier),
              code_challenge_method: 'S256',
            }
          : {}),
        ...(hasNonce ? { nonce } : {}),
        // Apple gives a name or an address to a form alone.
        ...(code.authentication === 'apple' && scopes.length > 0
          ? { response_mode: 'form_post' }
          : {}),
      };
      for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
      return url.href;
    },
    redeem: async ({ code: given, state, iss }, { nonce, verifier, ...secrets }, spend) => {
      const found = (await metadata.get()).value;
      const server: AuthorizationServer = {
        issuer: issuers.find((one) => one === iss) ?? issuer,
        token_endpoint: demanded(found.tokenUrl),
        authorization_response_iss_parameter_supported: found.answersWithIssuer,
      };
      const members = { code: given, state, ...(iss === undefined ? {} : { iss }) };
      const answer = validAnswer(server, members, secrets.state, clientId);
      return inTurn(async () => {
        const redirectUri = await spend();
        const signal = AbortSignal.timeout(TIMEOUT_MS);
        try {
          const authentication = await clientAuthentication(options, code, found, clock);
          const request = { [customFetch]: fetchWhole, [allowInsecureRequests]: true, signal };
          const response = await authorizationCodeGrantRequest(
            server,
            client,
            authentication,
            answer,
            redirectUri,
            hasPkce ? verifier : nopkce,
            request,
          );
          return await claimsFrom(response, nonce, signal);
        } catch (error) {
          throw afterwards(error);
        }
      });
    },
  };
}

/** @throws {Refusal} invalid_credentials: of another flow, or of another issuer (RFC 9207) */
function validAnswer(
  server: AuthorizationServer,
  members: Record<string, string>,
  state: string,
  clientId: string,
): URLSearchParams {
  try {
    const client = { client_id: clientId };
    return validateAuthResponse(server, client, new URLSearchParams(members), state);
  } catch (error) {
    throw notAccepted(new Error(error instanceof Error ? error.message : 'not valid'));
  }
}

/** @throws {Refusal} provider_unavailable: the metadata does not say */
function demanded(url: string | undefined): string {
  if (url !== undefined) return url;
  const cause = new Error('the metadata lacks an endpoint of the code flow');
  throw new Refusal('provider_unavailable', { cause });
}
