/**
 * The documents that sibling services fetch: cached as bytes, and rebuilt only when the key ring
 * changes.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7517#section-5
 * @see https://www.rfc-editor.org/rfc/rfc8414#section-2
 */
import type { Kernel } from '../../core/kernel.ts';
import { documentBytes, jsonDocument } from '../../http/document-bytes.ts';
import { document } from '../../http/route.ts';
import type { AnyRoute, DocumentBytes } from '../../http/route.ts';

/**
 * Seconds for which a verifier may cache the JWKS. A next key is published longer than this ahead
 * of its use.
 */
export const JWKS_MAX_AGE_SECONDS = 300;

export interface DiscoverySettings {
  /** The algorithm of the active signing key. */
  readonly algorithm: string;
  /** The service's name. */
  readonly name: string;
}

/** The documents of the service, for a visitor of its address. No version: ASVS 13.4.6. */
function indexRoute(name: string, issuer: string): AnyRoute {
  const index = jsonDocument({
    name,
    service: 'postern',
    links: {
      openapi: `${issuer}/openapi.json`,
      jwks: `${issuer}/.well-known/jwks.json`,
      metadata: `${issuer}/.well-known/oauth-authorization-server`,
      health: `${issuer}/healthz`,
    },
  });
  return document({
    path: '/',
    tag: 'Services',
    summary: 'The name of the service, and where its documents are',
    contentType: 'application/json',
    maxAgeSeconds: 300,
    problems: [],
    current: () => index,
  });
}

interface KeyDocuments {
  readonly version: number;
  readonly jwks: DocumentBytes;
  readonly pems: ReadonlyMap<string, DocumentBytes>;
}

export function discoveryRoutes(
  kernel: Kernel,
  { algorithm, name }: DiscoverySettings,
): readonly AnyRoute[] {
  const { issuer, signingKeys, audiences } = kernel;
  const scopes = [
    ...new Set(audiences.names.flatMap((name) => audiences.find(name).scopes)),
  ].sort();
  let kept: KeyDocuments | undefined;
  const documents = (): KeyDocuments => {
    const { version } = signingKeys;
    if (kept?.version === version) return kept;
    const published = signingKeys.published();
    kept = {
      version,
      jwks: jsonDocument({ keys: published.map(({ jwk }) => jwk) }),
      pems: new Map(published.map(({ jwk, pem }) => [jwk.kid, documentBytes(pem)])),
    };
    return kept;
  };
  const metadata = jsonDocument({
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    token_endpoint: `${issuer}/token`,
    introspection_endpoint: `${issuer}/introspect`,
    revocation_endpoint: `${issuer}/revoke`,
    // Only services get tokens here, so there is no authorization endpoint. RFC 8414 requires the
    // member, strict clients require an entry, and `none` is the registered value that grants
    // nothing.
    response_types_supported: ['none'],
    grant_types_supported: [
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:token-exchange',
    ],
    token_endpoint_auth_methods_supported: ['client_secret_basic'],
    introspection_endpoint_auth_methods_supported: ['client_secret_basic'],
    revocation_endpoint_auth_methods_supported: ['client_secret_basic'],
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
    id_token_signing_alg_values_supported: [algorithm],
    subject_types_supported: ['public'],
    access_token_signing_alg_values_supported: [algorithm],
  });
  const metadataRoute = (path: `/${string}`, summary: string): AnyRoute =>
    document({
      path,
      tag: 'Services',
      summary,
      contentType: 'application/json',
      maxAgeSeconds: 3600,
      problems: [],
      current: () => metadata,
    });
  return [
    indexRoute(name, issuer),
    document({
      path: '/.well-known/jwks.json',
      tag: 'Services',
      summary: 'The public signing keys',
      description:
        'The active key first, the next one ahead of its use, superseded ones until their last token has expired. Empty under HS256.',
      contentType: 'application/jwk-set+json',
      maxAgeSeconds: JWKS_MAX_AGE_SECONDS,
      problems: [],
      current: () => documents().jwks,
    }),
    metadataRoute('/.well-known/oauth-authorization-server', 'Metadata of the issuer (RFC 8414)'),
    metadataRoute(
      '/.well-known/openid-configuration',
      'The same metadata where OpenID Connect libraries look for it',
    ),
    document({
      path: '/keys/{kid}.pem',
      tag: 'Services',
      summary: 'One public key as SPKI PEM, for HAProxy and others that read no JWKS',
      contentType: 'application/x-pem-file',
      maxAgeSeconds: JWKS_MAX_AGE_SECONDS,
      problems: ['not_found'],
      current: (params) => documents().pems.get(params['kid'] ?? ''),
    }),
  ];
}
