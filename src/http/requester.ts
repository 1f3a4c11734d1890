/**
 * The client's address. Limits and the log use it, so it must not be forgeable (ASVS 4.1.3,
 * 15.3.4): forwarded headers are used only when the peer is a configured proxy or the listener is a
 * Unix socket. The addresses in them are read from the right, each trusted only as long as the hop
 * that wrote it is.
 */
import { BlockList, isIP } from 'node:net';

export type AddressOf = (
  peer: string | undefined,
  unixListener: boolean,
  forwardedFor: string | undefined,
) => string | null;

/**
 * The canonical spelling of an address (RFC 5952), with IPv4-mapped IPv6 as IPv4, so that one
 * client has one counter (L01). Null for text that is no address.
 */
export function canonicalAddress(address: string): string | null {
  const bare = address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address;
  const version = isIP(bare);
  if (version === 0) return null;
  if (version === 4) return bare;
  const zone = bare.indexOf('%');
  const canonical = new URL(`http://[${zone < 0 ? bare : bare.slice(0, zone)}]`).hostname.slice(
    1,
    -1,
  );
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  const bits = [parseInt(high, 16), parseInt(low, 16)];
  return bits.flatMap((half) => [half >> 8, half & 0xff]).join('.');
}

/**
 * Returns the check whether a peer is a proxy whose forwarded headers are trusted.
 *
 * @param trustedProxies addresses and CIDR ranges, validated by the configuration
 */
export function proxyCheck(trustedProxies: readonly string[]): (address: string) => boolean {
  const trusted = new BlockList();
  for (const entry of trustedProxies) {
    const [address = '', prefix] = entry.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(prefix), family);
  }
  return (address) => trusted.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Returns the reader of client addresses.
 *
 * @param trustedProxies as for {@link proxyCheck}
 */
export function addressReader(trustedProxies: readonly string[]): AddressOf {
  const isTrusted = proxyCheck(trustedProxies);
  const none = trustedProxies.length === 0;
  let lastPeer: string | undefined;
  let lastAddress: string | null = null;
  return (peer, unixListener, forwardedFor) => {
    if (peer !== lastPeer || lastAddress === null) {
      lastAddress = peer === undefined ? null : canonicalAddress(peer);
      lastPeer = peer;
    }
    const direct = unixListener ? null : lastAddress;
    if (forwardedFor === undefined) return direct;
    if (!unixListener && (none || direct === null || !isTrusted(direct))) return direct;
    return lastBelieved(forwardedFor, direct, isTrusted);
  };
}

/** `[v6]:port` and `v4:port`, as some proxies write them (RFC 7239 §6). */
const HOST_AND_PORT = /^(?:(\[[^\]]+\])|(\d{1,3}(?:\.\d{1,3}){3})):\d{1,5}$/;

export function withoutPort(hop: string): string {
  const [, inBrackets, bare] = HOST_AND_PORT.exec(hop) ?? [];
  return inBrackets ?? bare ?? hop;
}

const MAX_HOPS = 32;
const MAX_FORWARDED = 2_048;

/**
 * Reads the hops from the right: returns the first that is not a trusted proxy, or the last one
 * before an invalid entry.
 */
function lastBelieved(
  forwardedFor: string,
  direct: string | null,
  isTrusted: (address: string) => boolean,
): string | null {
  // The entries on the right were written by proxies; the caller's own part may have any length.
  const hops = forwardedFor.slice(-MAX_FORWARDED).split(',').slice(-MAX_HOPS);
  let client = direct;
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = canonicalAddress(withoutPort((hops[i] ?? '').trim()));
    if (hop === null) return client;
    client = hop;
    if (!isTrusted(hop)) return hop;
  }
  return client;
}
