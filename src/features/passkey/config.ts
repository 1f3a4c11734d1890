/**
 * The `[passkeys]` section: WebAuthn credentials, as first or second factor; and the relying party
 * derived from it.
 */
import { isLoopbackHost, readOrigin } from '../../lib/origin.ts';
import { readPageUrl } from '../../lib/page-url.ts';
import { boolean, choice, list, optionalText, section } from '../../lib/setting.ts';
import type { Reading } from '../../lib/setting.ts';

function readRpId(text: string): Reading<string> {
  const isHost = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/.test(text) && !/^[0-9.]+$/.test(text);
  return isHost
    ? { value: text }
    : {
        refusals: [
          {
            problem: 'is not a host name',
            remedy: 'Write a domain in lower case without scheme and port, such as "example.com".',
          },
        ],
      };
}

export const passkeysSection = section('Passkeys (WebAuthn).', {
  enabled: boolean({ sentence: 'Whether users may sign in with passkeys.', default: true }),
  rp_id: optionalText({
    sentence:
      'The domain that passkeys belong to; its pages and those of its subdomains can use them. Changing it invalidates all passkeys.',
    absent: 'the host of server.public_url ("localhost" for an address of this machine)',
    example: 'example.com',
    unit: 'a domain',
    read: readRpId,
  }),
  rp_name: optionalText({
    sentence: 'The name that authenticators show.',
    absent: 'server.name',
    example: 'Example Shop',
    read: (text) => ({ value: text }),
  }),
  origins: list({
    sentence:
      'Origins of the pages that may use passkeys; empty means the origin of server.public_url.',
    default: [],
    unit: 'origins such as "https://app.example.com"',
    read: readOrigin,
  }),
  user_verification: choice({
    sentence:
      'Whether the authenticator must verify the user by PIN or biometrics; without that, a passkey counts as one factor.',
    default: 'preferred',
    of: ['required', 'preferred', 'discouraged'],
  }),
  attestation: choice({
    sentence:
      "Whether to request an attestation of the authenticator's model; it is not checked against a list of manufacturers.",
    default: 'none',
    of: ['none', 'indirect', 'direct', 'enterprise'],
  }),
  enroll_url: optionalText({
    sentence: 'The page where users add a passkey, for /.well-known/passkey-endpoints.',
    absent: 'none',
    example: 'https://app.example.com/passkeys/new',
    unit: 'an https URL',
    read: readPageUrl,
  }),
  manage_url: optionalText({
    sentence: 'The page where users manage their passkeys, for /.well-known/passkey-endpoints.',
    absent: 'none',
    example: 'https://app.example.com/passkeys',
    unit: 'an https URL',
    read: readPageUrl,
  }),
});

/** The relying party that the settings define. */
export interface RelyingPartyValues {
  readonly publicUrl: string;
  readonly rpId: string | undefined;
  readonly origins: readonly string[];
}

export interface RelyingPartyScope {
  readonly id: string;
  readonly origins: readonly string[];
}

/** A valid domain for browsers; an IP address is not one (WebAuthn L3 §5.1.2). */
const isAddress = (host: string): boolean => host.startsWith('[') || /^[0-9.]+$/.test(host);

/**
 * The relying party and the pages that may use it. Null when no browser could use passkeys: the
 * service is reached by an IP address, or without TLS, and the settings define nothing else.
 */
export function relyingPartyScope({
  publicUrl,
  rpId,
  origins,
}: RelyingPartyValues): RelyingPartyScope | null {
  if (!URL.canParse(publicUrl)) return null;
  const url = new URL(publicUrl);
  const isHere = isLoopbackHost(url.hostname);
  // For users of this machine, its address and "localhost" are the same, but not for browsers.
  if (isHere && isAddress(url.hostname)) url.hostname = 'localhost';
  const isUsable = !isAddress(url.hostname) && (url.protocol === 'https:' || isHere);
  if (!isUsable && (rpId === undefined || origins.length === 0)) return null;
  return { id: rpId ?? url.hostname, origins: origins.length === 0 ? [url.origin] : origins };
}

/**
 * Whether pages of this origin can use passkeys of this domain: the domain is their host, or a
 * registrable suffix of it.
 */
export function isInScope(id: string, origin: string): boolean {
  const { hostname, protocol } = new URL(origin);
  if (protocol !== 'https:' && !isLoopbackHost(hostname)) return false;
  return hostname === id || (id.includes('.') && hostname.endsWith(`.${id}`));
}
