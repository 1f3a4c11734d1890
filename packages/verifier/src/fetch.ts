/** Fetching a document of the issuer: no redirect, bounded time and size, with its ETag. */

/** What is used of fetch. */
export type Fetch = (
  url: string,
  init: {
    readonly headers: Record<string, string>;
    readonly redirect: 'error';
    readonly signal: AbortSignal;
  },
) => Promise<Response>;

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 1_048_576;

export interface Fetched {
  readonly text: string;
  readonly etag: string | null;
  /** Seconds, of Cache-Control. */
  readonly maxAge: number | null;
}

/** The document, or null when it has not changed. @throws {Error} it can't be had */
export async function fetchDocument(
  fetch: Fetch,
  url: string,
  { accept, etag }: { readonly accept: string; readonly etag: string | null },
): Promise<Fetched | null> {
  const headers = { accept, ...(etag === null ? {} : { 'if-none-match': etag }) };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(url, { headers, redirect: 'error', signal });
  if (response.status === 304 && etag !== null) return null;
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
  const maxAge = /(?:^|,)\s*max-age=(\d{1,9})/.exec(response.headers.get('cache-control') ?? '');
  return {
    text: new TextDecoder().decode(await readLimited(response.body, MAX_BYTES)),
    etag: response.headers.get('etag'),
    maxAge: maxAge === null ? null : Number(maxAge[1]),
  };
}

/** What a stream has, if that is not more than it may. @throws {Error} */
export async function readLimited(
  stream: ReadableStream<Uint8Array> | null,
  limit: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = stream?.getReader();
  for (;;) {
    const part = await reader?.read();
    if (part === undefined || part.done) break;
    size += part.value.length;
    if (size > limit) {
      await reader?.cancel();
      throw new Error(`more than ${limit} bytes`);
    }
    chunks.push(part.value);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
