/** What a provider says about itself (OpenID Connect Discovery §4), and what those without say nothing. */
import { readPageUrl } from '../../lib/page-url.ts';
import { fetchJson, TIMEOUT_MS } from './outbound.ts';
import type { ProviderOptions } from './options.ts';

export interface Metadata {
  readonly jwksUrl: string | undefined;
  readonly authorizationUrl: string | undefined;
  readonly tokenUrl: string | undefined;
  /** Whether its answers have `iss` (RFC 9207). */
  readonly answersWithIssuer: boolean;
  /** How clients may authenticate; undefined means by `client_secret_basic`. */
  readonly clientAuthentications: readonly unknown[] | undefined;
}

/** The tenant of personal Microsoft accounts. */
const PERSONAL = '9188040d-6c67-4c5b-b112-36a304b66dad';

/** Whose metadata is read, if there are several tenants: that of all of them. */
function sharedAuthority({ issuer, issuers }: ProviderOptions): string {
  const isForAll = issuers.some((one) => one.includes(PERSONAL));
  return issuer.replace('{tenantid}', isForAll ? 'common' : 'organizations');
}

/** @throws {Error} it can't be had, is of another issuer, or lacks what is needed */
export async function discover(options: ProviderOptions): Promise<Metadata> {
  const [only, ...others] = options.issuers;
  const isShared = only === undefined || others.length > 0;
  const base = isShared ? sharedAuthority(options) : only;
  const document = await fetchJson(
    `${base.replace(/\/$/, '')}/.well-known/openid-configuration`,
    AbortSignal.timeout(TIMEOUT_MS),
  );
  const found: Readonly<Record<string, unknown>> = Object(document);
  if (found['issuer'] !== (isShared ? options.issuer : only))
    throw new Error('the metadata is of another issuer');
  const methods = found['token_endpoint_auth_methods_supported'];
  const needed = (name: string, isNeeded: boolean): string | undefined => {
    const url = usable(found[name]);
    // Thrown, so that it is not kept as good.
    if (isNeeded && url === undefined) throw new Error(`the metadata has no usable ${name}`);
    return url;
  };
  const isForCodes = options.code !== null && options.profile === 'id_token';
  return {
    jwksUrl: needed('jwks_uri', options.jwksUrl === undefined),
    authorizationUrl: needed('authorization_endpoint', isForCodes),
    tokenUrl: needed('token_endpoint', isForCodes),
    answersWithIssuer: found['authorization_response_iss_parameter_supported'] === true,
    clientAuthentications: Array.isArray(methods) ? methods : undefined,
  };
}

/** Of a provider that publishes none. */
export function fixedMetadata({ profile, issuer, apiUrl }: ProviderOptions): Metadata {
  const isGithub = profile === 'github';
  return {
    jwksUrl: undefined,
    authorizationUrl: `${issuer}${isGithub ? '/authorize' : '/dialog/oauth'}`,
    tokenUrl: isGithub ? `${issuer}/access_token` : `${apiUrl}/oauth/access_token`,
    answersWithIssuer: false,
    clientAuthentications: undefined,
  };
}

const usable = (url: unknown): string | undefined =>
  typeof url === 'string' && 'value' in readPageUrl(url) ? url : undefined;
