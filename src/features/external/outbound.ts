/**
 * Requests to outside providers: https or loopback alone, no redirects, a time, a size, and so many
 * at once that a provider that is down slows nothing else (I03, I07).
 */
import { readPageUrl } from '../../lib/page-url.ts';
import { Refusal } from '../../refusal.ts';

export const TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 262_144;
/** Exchanges of codes at one provider; further ones are refused meanwhile. */
const MAX_AT_ONCE = 16;

/**
 * The answer with its whole body.
 *
 * @throws {Error} it could not be had; never with what was sent
 */
export async function fetchWhole(url: string, init: RequestInit): Promise<Response> {
  const { host } = new URL(url);
  if (!('value' in readPageUrl(url))) throw new Error(`${host} is neither https nor loopback`);
  const headers = new Headers(init.headers);
  headers.set('user-agent', 'postern');
  const response = await fetch(url, { ...init, headers, redirect: 'error' });
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`${host} answered too much`);
    chunks.push(chunk);
  }
  const { status } = response;
  return new Response(size === 0 ? null : Buffer.concat(chunks), {
    status,
    headers: response.headers,
  });
}

/** The JSON of an answer 200. @throws {Error} there was none */
export async function fetchJson(url: string, signal: AbortSignal): Promise<unknown> {
  const response = await fetchWhole(url, { signal, headers: { accept: 'application/json' } });
  if (response.status !== 200) throw new Error(`${new URL(url).host} answered ${response.status}`);
  return response.json();
}

/** Runs so many at once, and refuses what comes beyond. */
export function createTurns(most = MAX_AT_ONCE): <T>(work: () => Promise<T>) => Promise<T> {
  let running = 0;
  return async (work) => {
    if (running >= most) throw new Refusal('provider_unavailable', { retryAfterSeconds: 1 });
    running += 1;
    try {
      return await work();
    } finally {
      running -= 1;
    }
  };
}
