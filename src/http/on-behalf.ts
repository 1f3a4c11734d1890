/**
 * Requests of a server-rendered front-end, which calls for all its users from one address. With an
 * API key of the scope `caller` in `Postern-Key`, the user's address in `Forwarded: for=` (RFC 7239
 * §5.2) is trusted from any peer and used for limits, sessions and the log.
 */
import { Refusal } from '../refusal.ts';
import type { RefusalCode } from '../refusal.ts';
import { ownApiKey } from './api-key-credentials.ts';
import type { AuthenticateApiKey } from './api-key-credentials.ts';
import type { Exchange } from './exchange.ts';
import type { Security } from './route.ts';
import { canonicalAddress, withoutPort } from './requester.ts';

/** One element; parameters besides `for` are ignored. */
const FOR = /(?:^|;)[ \t]*for=(?:"([^",;]+)"|([^",;\s]+))[ \t]*(?=;|$)/i;

/** The additional refusals of such a request, on every route. */
export const CALLER_PROBLEMS: readonly RefusalCode[] = [
  'invalid_api_key',
  'insufficient_scope',
  'too_many_attempts',
];

/** Routes that users call, as opposed to services with their own API key. */
export function mayBeOnBehalf(security: Security): boolean {
  return security === 'public' || security.scheme === 'bearer';
}

/**
 * Takes the user's address from a caller that presents its key; does nothing without a key.
 *
 * @throws {Refusal} invalid_api_key, insufficient_scope, too_many_attempts, malformed_request
 */
export async function speakForUser(
  exchange: Exchange,
  authenticate: AuthenticateApiKey,
): Promise<void> {
  await authenticate(exchange.requester, ownApiKey(exchange), 'caller');
  const forwarded = exchange.header('forwarded');
  if (forwarded === null) return;
  const [, quoted, bare] = forwarded.includes(',') ? [] : (FOR.exec(forwarded) ?? []);
  const address = canonicalAddress(withoutPort(quoted ?? bare ?? ''));
  if (address === null)
    throw new Refusal('malformed_request', {
      detail:
        'Forwarded has no single address of a user. Send Forwarded: for=192.0.2.1, or for="[2001:db8::1]".',
    });
  exchange.speakFor(address);
}
