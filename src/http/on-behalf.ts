/**
 * Requests of a server-rendered front-end: it calls for its users, from one address. With an API key
 * of the scope `caller` in `Postern-Key`, `Forwarded: for=` (RFC 7239 §5.2) names the user's address
 * from anywhere, for limits, sessions and the log.
 */
import { Refusal } from '../refusal.ts';
import type { RefusalCode } from '../refusal.ts';
import { ownApiKey } from './api-key-credentials.ts';
import type { AuthenticateApiKey } from './api-key-credentials.ts';
import type { Exchange } from './exchange.ts';
import type { Security } from './route.ts';
import { canonicalAddress, withoutPort } from './requester.ts';

/** One element: what stands in it besides `for` is the front-end's to know. */
const FOR = /(?:^|;)[ \t]*for=(?:"([^",;]+)"|([^",;\s]+))[ \t]*(?=;|$)/i;

/** What such a request may be refused with, on every route. */
export const CALLER_PROBLEMS: readonly RefusalCode[] = [
  'invalid_api_key',
  'insufficient_scope',
  'too_many_attempts',
];

/** Routes that users call, and not services with a key of their own. */
export function mayBeOnBehalf(security: Security): boolean {
  return security === 'public' || security.scheme === 'bearer';
}

/**
 * Takes the word of a caller that presents its key; without one there is nothing to do.
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
