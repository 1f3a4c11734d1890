/** From where a request comes, and what tells one place from another. */
import type { LogFields } from '../../lib/log.ts';

/**
 * From where a request comes, as far as it can be known. Over a Unix socket without a proxy's word
 * the address is null.
 */
export interface Requester {
  readonly requestId: string;
  /** Client address after the trusted proxies, without port; null when unknown. */
  readonly ip: string | null;
  /** The User-Agent, cut to 256 characters, null when there is none. */
  readonly userAgent: string | null;
  /** The first language of Accept-Language, as in `de` or `pt-BR`; null when there is none. */
  readonly locale: string | null;
  /** The caller's trace, for the log. */
  readonly trace?: Pick<LogFields, 'trace_id' | 'span_id' | 'trace_flags'>;
}

/**
 * Where a request comes from, as one that floods is told from others: an IPv4 address, or the /64
 * that an IPv6 client has to itself. What is not known is one place.
 */
export function networkOf({ ip }: Pick<Requester, 'ip'>): string {
  if (ip === null) return 'network:unknown';
  if (!ip.includes(':')) return `network:${ip}`;
  const [head = '', tail] = ip.split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - rest.length;
  return `network:${[...groups, ...Array.from({ length: missing }, () => '0'), ...rest].slice(0, 4).join(':')}`;
}
