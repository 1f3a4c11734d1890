/**
 * Tells an operator of a page whose browser keeps our answers from it: the page learns nothing but
 * "blocked", and an answer can't say it, for nobody may read it.
 */
import type { Log } from '../lib/log.ts';
import { spelledOrigin } from '../lib/origin.ts';

/** Whoever sends origins without end decides nothing, and fills no log (H17). */
const MAX_ORIGINS = 32;

/** Gives what is told of each request that has an Origin. */
export function corsNotice(
  allowed: readonly string[],
  log: Log,
): (origin: string, host: string | undefined) => void {
  const known = new Set(allowed);
  const most = known.size + MAX_ORIGINS;
  return (origin, host) => {
    if (known.has(origin) || known.size >= most) return;
    // A page of our own address names its origin with each POST.
    if (host !== undefined && origin.endsWith(`://${host}`)) return;
    if (spelledOrigin(origin) === null) return;
    known.add(origin);
    log.write(
      'warn',
      'cors.refused',
      `a page of ${origin} called and its browser kept the answer from it; if it is yours, add the line: cors_origins = ["${origin}"] under [server], or for cookie mode enabled = true and allowed_origins = ["${origin}"] under [cookies]`,
      { origin },
    );
  };
}
