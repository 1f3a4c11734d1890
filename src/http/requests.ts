/**
 * What the server knows of a request besides its body: its id, when it arrived, who sent it. Made
 * once per request and kept cheap, because it is on the hot path.
 */
import type { Random } from '../lib/id.ts';
import type { Requester } from '../core/requester.ts';
import type { Arrival } from './arrival.ts';
import { readTrace } from './trace.ts';

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** 96 random bits: a counter would reveal the amount of traffic. */
const REQUEST_ID_LENGTH = 16;
/** Number of random bytes drawn at once; three of them become four characters. */
const DRAWN_BYTES = 3_072;

/** Returns the reader of request ids: the caller's own if it is well-formed, else a random one. */
export function requestIds(random: Random): (given: string | string[] | undefined) => string {
  let drawn = '';
  let used = 0;
  const next = (): string => {
    if (used === drawn.length) {
      drawn = random.bytes(DRAWN_BYTES).toString('base64url');
      used = 0;
    }
    used += REQUEST_ID_LENGTH;
    return drawn.slice(used - REQUEST_ID_LENGTH, used);
  };
  return (given) => (typeof given === 'string' && REQUEST_ID.test(given) ? given : next());
}

const MAX_USER_AGENT = 256;

/** The requester as the domain knows it. */
export function requesterOf(arrival: Arrival, requestId: string): Requester {
  const agent = arrival.header('user-agent');
  const language = arrival.header('accept-language');
  const trace = readTrace(arrival.header('traceparent'));
  const ip = arrival.address;
  const userAgent = agent === undefined ? null : printable(agent);
  const locale = language === undefined ? null : (LOCALE.exec(language)?.[0] ?? null);
  return trace === undefined
    ? { requestId, ip, userAgent, locale }
    : { requestId, ip, userAgent, locale, trace };
}

const LOCALE = /^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})?(?=[,;]|$)/;

/**
 * Truncated, and without characters that could forge a log line or an email (H10, H14). Header text
 * is Latin-1, so it can contain C1 control characters.
 */
function printable(text: string): string {
  const cut = text.slice(0, MAX_USER_AGENT);
  return /^[\x20-\x7e]*$/.test(cut) ? cut : cut.replace(/[^\x20-\x7e\xa0-\xff]/g, '?');
}
