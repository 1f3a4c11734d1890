/**
 * Origins and hosts as an operator writes them. An origin is compared as a whole text (ASVS 3.4.2),
 * so that one spelled otherwise than browsers do would never match, silently; it is refused here,
 * with the spelling that would.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6454#section-6.2
 */
import type { Reading } from './setting.ts';

/** Reads an origin that is spelled exactly as the Origin header spells it. */
export function readOrigin(text: string): Reading<string> {
  const remedy = 'Write "https://" and the host, with the port if it is not the usual one.';
  if (text.includes('*'))
    return {
      refusals: [{ problem: 'has a star, and origins are compared as whole texts', remedy }],
    };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:\/\//.test(text))
    return { refusals: [{ problem: 'is not an origin', remedy }] };
  if (url.username !== '' || url.password !== '')
    return { refusals: [{ problem: 'carries a user name', remedy }] };
  return url.origin === text
    ? { value: text }
    : { refusals: [{ problem: 'is not how browsers spell it', remedy: `Write "${url.origin}".` }] };
}

/** Whether a URL's host can be reached from this machine alone. */
export function isLoopbackHost(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  );
}
