/** GET /status-lists/{n}. */
import type { Kernel } from '../../core/kernel.ts';
import type { StatusListBytes } from '../../core/token/status-list.ts';
import { documentBytes } from '../../http/document-bytes.ts';
import { document } from '../../http/route.ts';
import type { AnyRoute, DocumentBytes } from '../../http/route.ts';

/** A list's number, in its canonical spelling. */
const NUMBER = /^(?:0|[1-9]\d{0,8})$/;

export function statusListRoutes({ statusLists }: Kernel, ttlMs: number): readonly AnyRoute[] {
  const served = new WeakMap<StatusListBytes, DocumentBytes>();
  const documentOf = (bytes: StatusListBytes): DocumentBytes => {
    let made = served.get(bytes);
    if (made === undefined) {
      made = { ...documentBytes(bytes.token), gzip: bytes.gzip };
      served.set(bytes, made);
    }
    return made;
  };
  return [
    document({
      path: '/status-lists/{n}',
      tag: 'Services',
      summary: 'A Token Status List: which sessions have ended',
      description:
        'A signed JWT (typ statuslist+jwt) with one bit per session, at the index in status.status_list of an access token: 1 means ended. It may be cached for ttl seconds.',
      contentType: 'application/statuslist+jwt',
      maxAgeSeconds: Math.floor(ttlMs / 1000),
      problems: ['not_found'],
      current: ({ n = '' }) => {
        if (!NUMBER.test(n)) return undefined;
        const bytes = statusLists.current(Number(n));
        if (!(bytes instanceof Promise)) return documentOf(bytes);
        return bytes.then((made) => (made === undefined ? undefined : documentOf(made)));
      },
    }),
  ];
}
