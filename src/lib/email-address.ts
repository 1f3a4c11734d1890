/** Email addresses: which ones are accepted, and which ones are the same (G2). */
import { domainToASCII, domainToUnicode } from 'node:url';
import { isWellFormed } from './text.ts';

const MAX_EMAIL_CHARACTERS = 254;
const MAX_EMAIL_LOCAL = 64;

const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The canonical form of an email address (G2): ASCII atoms before the @, case-folded; the domain in
 * lower-case ASCII (IDNA). Dots and plus signs are kept, because only the mail server knows what
 * they mean. Null for an address that is not accepted: quoted local parts, comments, lists, groups,
 * IP literals.
 */
export function canonicalEmail(text: string): string | null {
  if (text.length > MAX_EMAIL_CHARACTERS || !isWellFormed(text)) return null;
  const at = text.indexOf('@');
  if (at < 1 || at !== text.lastIndexOf('@')) return null;
  const local = text.slice(0, at);
  if (local.length > MAX_EMAIL_LOCAL || !LOCAL_PART.test(local)) return null;
  const typedDomain = text.slice(at + 1);
  // domainToASCII drops tabs, newlines and soft hyphens, and decodes %-escapes: what it would
  // repair is refused.
  if (/[\s%\u00ad\u200b-\u200f\u2060\ufeff\\/:?#[\]<>^|]/u.test(typedDomain)) return null;
  const domain = domainToASCII(typedDomain);
  const labels = domain.split('.');
  if (
    labels.length < 2 ||
    !labels.every((label) => DOMAIN_LABEL.test(label)) ||
    /^\d+$/.test(labels[labels.length - 1] ?? '')
  )
    return null;
  const canonical = `${local.toLowerCase()}@${domain}`;
  return canonical.length <= MAX_EMAIL_CHARACTERS ? canonical : null;
}

/** Source routes (`%`, `!`), encoded words (`=?`) and options (`-`) of old mail programs. */
const ROUTED = /[%!]|=\?|^-/;

/**
 * Whether an accepted address is also one that every mail program reads alike: nothing in its local
 * part routes it elsewhere, and its domain is changed by UTS 46 mapping in nothing but case. A
 * full-width or invisible character would be repaired into another domain than the one that is seen.
 *
 * @see https://www.unicode.org/reports/tr46/
 */
export function isPlainEmail(text: string): boolean {
  const at = text.indexOf('@');
  const typed = text.slice(at + 1).toLowerCase();
  const mapped = domainToASCII(typed);
  return !ROUTED.test(text.slice(0, at)) && (typed === mapped || typed === domainToUnicode(mapped));
}
