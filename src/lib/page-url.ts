/** Settings whose value is the URL of a page or program outside this service. */
import { isLoopbackHost } from './origin.ts';
import type { Reading } from './setting-registry.ts';

/** Reads a page's or program's address: https, or http on loopback. */
export function readPageUrl(text: string): Reading<string> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const fits =
    url !== undefined &&
    (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))) &&
    url.username === '' &&
    url.password === '' &&
    url.hash === '';
  return fits
    ? { value: text }
    : {
        refusals: [
          {
            problem: 'is not an https URL without user name and fragment',
            remedy: 'Write one such as "https://app.example.com/page".',
          },
        ],
      };
}
