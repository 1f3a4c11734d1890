/**
 * Origins and hosts as an operator writes them. Origins are compared as exact texts (ASVS 3.4.2),
 * so one that browsers spell differently would silently never match; it is refused here, with the
 * correct spelling.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6454#section-6.2
 */
import type { Reading } from './setting-registry.ts';

/** Reads an origin that is spelled exactly as in the Origin header. */
export function readOrigin(text: string): Reading<string> {
  const remedy = 'Write "https://" and the host, with the port if it is not the usual one.';
  if (text.includes('*'))
    return {
      refusals: [{ problem: 'has a star, but origins are compared exactly', remedy }],
    };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:\/\//.test(text))
    return { refusals: [{ problem: 'is not an origin', remedy }] };
  if (url.username !== '' || url.password !== '')
    return { refusals: [{ problem: 'contains a user name', remedy }] };
  return url.origin === text
    ? { value: text }
    : { refusals: [{ problem: 'is not how browsers spell it', remedy: `Write "${url.origin}".` }] };
}

/** Maximum length of an origin that is logged: a host name has at most 253 characters. */
const MAX_ORIGIN = 300;

/** An origin from outside, if it has the spelling of browsers; else null. */
export function spelledOrigin(text: string): string | null {
  if (text.length > MAX_ORIGIN) return null;
  const reading = readOrigin(text);
  return 'value' in reading ? reading.value : null;
}

/** Whether a URL's host is loopback. */
export function isLoopbackHost(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  );
}
