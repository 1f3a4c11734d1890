/**
 * Posts one token to a receiver (RFC 8935). Redirects are not followed (ASVS 15.3.2), and an answer
 * is read no further than an error needs.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8935#section-2
 */

/** `refused`: the receiver does not want it, and will not want it later. */
export type Posted =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused' | 'failed'; readonly error: string };

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 4_096;

/** 4xx statuses that a retry, or the operator, can fix. */
const CURABLE: ReadonlySet<number> = new Set([401, 403, 404, 408, 409, 425, 429]);

const PRINTABLE = /[^\x20-\x7e]/g;

/** The error of RFC 8935 §2.4 as a line, without what could break a terminal. */
async function errorOf(response: Response): Promise<string> {
  const status = `it answered ${response.status}`;
  let text = '';
  try {
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString('latin1');
      if (text.length >= MAX_ANSWER_BYTES) break;
    }
  } catch {
    return status;
  }
  const { err, description } = errorMembers(text);
  const words = [err, description].filter((word) => typeof word === 'string').join(': ');
  return words === '' ? status : `${status}: ${words.replace(PRINTABLE, '?').slice(0, 200)}`;
}

function errorMembers(text: string): { readonly err?: unknown; readonly description?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

export interface Receiver {
  readonly url: string;
  readonly bearerToken: string | undefined;
}

export async function postEvent(
  { url, bearerToken }: Receiver,
  token: string,
  signal: AbortSignal,
): Promise<Posted> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: {
        'content-type': 'application/secevent+jwt',
        accept: 'application/json',
        'user-agent': 'postern',
        ...(bearerToken === undefined ? {} : { authorization: `Bearer ${bearerToken}` }),
      },
      body: token,
    });
  } catch {
    const { host } = new URL(url);
    const error = `${host} could not be reached, or did not answer in ${TIMEOUT_MS / 1000} s`;
    return { kind: 'failed', error };
  }
  const { status } = response;
  if (status >= 200 && status < 300) {
    await response.body?.cancel().catch(() => undefined);
    return { kind: 'taken' };
  }
  const error = await errorOf(response);
  await response.body?.cancel().catch(() => undefined);
  const isFinal = status >= 400 && status < 500 && !CURABLE.has(status);
  return { kind: isFinal ? 'refused' : 'failed', error };
}
