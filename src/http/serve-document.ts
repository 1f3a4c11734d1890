/** Serves a route whose answer is a document, the same for every caller: JWKS, status lists. */
import { Refusal } from '../refusal.ts';
import type { HeaderRecord } from './answer.ts';
import type { Exchange } from './exchange.ts';
import { acceptsGzip, matchesEtag } from './negotiation.ts';
import type { Params } from './paths.ts';
import type { DocumentBytes, DocumentRoute } from './route.ts';

export type Serve = (exchange: Exchange, params: Params) => Response | Promise<Response>;

/** One form of a document, as it is or zipped, ready to be sent. */
interface Form {
  readonly etag: string;
  readonly body: DocumentBytes['body'];
  readonly headers: HeaderRecord;
  readonly unchanged: HeaderRecord;
}

interface Forms {
  readonly document: DocumentBytes;
  readonly plain: Form;
  readonly zipped: Form | undefined;
}

/** `complete` adds the headers that every answer has. */
export function serveDocument(
  route: DocumentRoute,
  complete: (headers: HeaderRecord) => HeaderRecord,
): Serve {
  const formsOf = (document: DocumentBytes): Forms => {
    const cached = {
      'cache-control': `public, max-age=${route.maxAgeSeconds}`,
      ...(document.gzip === undefined ? {} : { vary: 'Accept-Encoding' }),
    };
    const typed = { 'content-type': route.contentType, ...cached };
    const { etag, body, gzip } = document;
    // The bytes differ, so the strong tag must differ too (RFC 9110 §8.8.3.3).
    const zippedEtag = etag.replace(/"$/, '-gzip"');
    return {
      document,
      plain: {
        etag,
        body,
        headers: complete({ ...typed, etag }),
        unchanged: complete({ ...cached, etag }),
      },
      zipped: gzip && {
        etag: zippedEtag,
        body: gzip,
        headers: complete({ ...typed, etag: zippedEtag, 'content-encoding': 'gzip' }),
        unchanged: complete({ ...cached, etag: zippedEtag }),
      },
    };
  };
  // Callers ask for the same document again and again, so its last forms are kept.
  let last: Forms | undefined;
  const answer = (exchange: Exchange, document: DocumentBytes | undefined): Response => {
    if (document === undefined) throw new Refusal('not_found');
    if (last?.document !== document) last = formsOf(document);
    const { arrival } = exchange;
    const { plain, zipped } = last;
    const form =
      zipped !== undefined && acceptsGzip(arrival.header('accept-encoding')) ? zipped : plain;
    if (matchesEtag(arrival.header('if-none-match'), form.etag))
      return exchange.succeed({ status: 304, headers: form.unchanged });
    return exchange.succeed({ status: 200, headers: form.headers, body: form.body });
  };
  return (exchange, params) => {
    const document = route.current(params);
    return document instanceof Promise
      ? document.then((found) => answer(exchange, found))
      : answer(exchange, document);
  };
}
