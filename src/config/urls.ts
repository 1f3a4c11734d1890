/** URLs and addresses in settings: the public URL, the database's, proxies. */
import { isIP } from 'node:net';
import type { Reading } from '../lib/setting-registry.ts';

const refuse = (
  problem: string,
  remedy: string,
): { refusals: readonly { problem: string; remedy: string }[] } => ({
  refusals: [{ problem, remedy }],
});

/**
 * Reads the issuer and base of links. Verifiers compare it as a text (RFC 8414 §2), so only one
 * spelling is accepted.
 */
export function readPublicUrl(text: string): Reading<string> {
  const sample = 'Write a URL such as "https://auth.example.com".';
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    const guess = `https://${text}`;
    const isHost = /^[A-Za-z0-9.-]+(:\d+)?(\/[\w./-]*)?$/.test(text) && URL.canParse(guess);
    return refuse('has no scheme', isHost ? `Write "${guess}"` : sample);
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    return refuse('is not a web address', sample);
  if (url.username !== '' || url.password !== '') return refuse('contains a user name', sample);
  if (/[?#]/.test(text)) return refuse('has a query or a fragment', sample);
  const spelled =
    url.pathname === '/' ? url.origin : `${url.origin}${url.pathname}`.replace(/\/+$/, '');
  if (text !== spelled)
    return refuse(
      text.endsWith('/') ? 'ends in a slash' : 'is not in the form that verifiers compare',
      `Write "${spelled}"`,
    );
  return { value: text };
}

/** Reads the database's location: a file, or a libSQL server. */
export function readDatabaseUrl(text: string): Reading<string> {
  const sample = 'Write "file:./data/postern.db" or "libsql://host".';
  if (text.startsWith('file:')) {
    const path = text.slice('file:'.length);
    if (path === '' || path === '//') return refuse('has no path', sample);
    if (path.includes(':memory:'))
      return refuse('would lose every account when the service stops', sample);
    return /[?#]/.test(path) ? refuse('has options', sample) : { value: text };
  }
  const url =
    /^(libsql|https?|wss?):\/\//.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '')
    return refuse('is neither a file nor a libSQL server', sample);
  const carriesSecret =
    url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '';
  return carriesSecret
    ? refuse(
        'contains a credential or options',
        'Write the token as database.auth_token, and the URL without it.',
      )
    : { value: text };
}

/** Reads an address or a range, such as 10.0.0.0/8. */
export function readAddressRange(text: string): Reading<string> {
  const sample = 'Write an address or a range, such as "10.0.0.7" or "10.0.0.0/8".';
  const [address = '', prefix, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || more.length > 0)
    return refuse('is not an IP address or range', sample);
  if (/^::ffff:/i.test(address))
    return refuse('is an IPv4 address written as IPv6', `Write the IPv4 address itself.`);
  if (prefix === undefined) return { value: text };
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > (version === 4 ? 32 : 128))
    return refuse(`has a prefix length that IPv${version} can't have`, sample);
  if (Number(prefix) === 0)
    return refuse(
      'would let every client forge its address',
      'Write the addresses of your proxies.',
    );
  return { value: text };
}
