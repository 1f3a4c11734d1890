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
}

/**
 * The network of a request, by which clients that send too much are kept apart: an IPv4 address, or
 * the /64 that an IPv6 client has to itself. All unknown addresses are one network.
 */
export function networkOf({ ip }: Pick<Requester, 'ip'>): string {
  if (ip === null) return 'network:unknown';
  return ip.includes(':') ? `network:${firstGroups(ip, 4)}` : `network:${ip}`;
}

/** The /48 of an IPv6 address, which one customer often has whole; null for other addresses. */
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
