/**
 * Tells an operator of a proxy that is not in `server.trusted_proxies`: its clients would all count
 * as one, and nothing else would say why.
 */
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { canonicalAddress, proxyCheck } from './requester.ts';

/**
 * One look a minute: who sends the header without being asked to decides nothing, and fills no log.
 */
const EVERY_MS = 60_000;

/** Gives what is told of each request that has an `X-Forwarded-For` over TCP. */
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
      'X-Forwarded-For came from an address that is not in server.trusted_proxies and was not believed: is it your proxy?',
      { 'client.address': address },
    );
  };
}
