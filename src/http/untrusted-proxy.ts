/**
 * Warns an operator of a proxy that is not in `server.trusted_proxies`: all its clients would count
 * as one, and nothing else would show why.
 */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { canonicalAddress, proxyCheck } from './requester.ts';

/** At most one check a minute, so that a client that sends the header itself can't fill the log. */
const EVERY_MS = 60_000;

/** Returns the function to call for each request over TCP that has `X-Forwarded-For`. */
export function untrustedProxyNotice(
  trustedProxies: readonly string[],
  { log, clock }: { readonly log: Log; readonly clock: Clock },
): (peer: string | undefined) => void {
  const isTrusted = proxyCheck(trustedProxies);
  let nextAt = Number.NEGATIVE_INFINITY;
  return (peer) => {
    const now = clock.monotonic();
    if (now < nextAt) return;
    nextAt = now + EVERY_MS;
    const address = peer === undefined ? null : canonicalAddress(peer);
    if (address === null || isTrusted(address)) return;
    log.write(
      'warn',
      'proxy.untrusted',
      'X-Forwarded-For came from an address that is not in server.trusted_proxies and was ignored: is it your proxy?',
      { 'client.address': address },
    );
  };
}
