/** The origin of a request, and the network by which origins are distinguished. */
import type { LogFields } from '../lib/log.ts';

/**
 * The origin of a request, as far as it is known. Over a Unix socket without a forwarded address,
 * the address is null.
 */
export interface Requester {
  readonly requestId: string;
  /** Client address after the trusted proxies, without port; null when unknown. */
  readonly ip: string | null;
  /** The User-Agent, truncated to 256 characters; null when there is none. */
  readonly userAgent: string | null;
  /** The first language of Accept-Language, as in `de` or `pt-BR`; null when there is none. */
  readonly locale: string | null;
  /** The caller's trace, for the log. */
  readonly trace?: Pick<LogFields, 'trace_id' | 'span_id' | 'trace_flags'>;
}

/**
 * The network of a request, to which limits apply: an IPv4 address, or an IPv6 /64. All unknown
 * addresses count as one network.
 */
export function networkOf({ ip }: Pick<Requester, 'ip'>): string {
  if (ip === null) return 'network:unknown';
  return ip.includes(':') ? `network:${firstGroups(ip, 4)}` : `network:${ip}`;
}

/** The /48 of an IPv6 address, which one customer often has; null for other addresses. */
export function widerNetworkOf({ ip }: Pick<Requester, 'ip'>): string | null {
  return ip?.includes(':') === true ? `wider:${firstGroups(ip, 3)}` : null;
}

/** The first groups of an IPv6 address in its canonical spelling. */
function firstGroups(ip: string, count: number): string {
  const [head = '', tail] = ip.split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - rest.length;
  const zeros = Array.from({ length: missing }, () => '0');
  return [...groups, ...zeros, ...rest].slice(0, count).join(':');
}
