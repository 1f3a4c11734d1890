/**
 * Logs for the operator that a page's browser blocked our answer (CORS): the page only learns
 * "blocked", and the answer can't explain it, because the page can't read it.
 */
import type { Log } from '../lib/log.ts';
import { spelledOrigin } from '../lib/origin.ts';

/** Bounded, so that a client that sends ever new origins can't fill the log (H17). */
const MAX_ORIGINS = 32;

/** Returns the function to call for each request that has an Origin. */
export function corsNotice(
  allowed: readonly string[],
  log: Log,
): (origin: string, host: string | undefined) => void {
  const known = new Set(allowed);
  const most = known.size + MAX_ORIGINS;
  return (origin, host) => {
    if (known.has(origin) || known.size >= most) return;
    // A page on our own origin sends its Origin with each POST.
    if (host !== undefined && origin.endsWith(`://${host}`)) return;
    if (spelledOrigin(origin) === null) return;
    known.add(origin);
    log.write(
      'warn',
      'cors.refused',
      `a page of ${origin} called and its browser blocked the answer; if the page is yours, add the line: cors_origins = ["${origin}"] under [server], or for cookie mode enabled = true and allowed_origins = ["${origin}"] under [cookies]`,
      { origin },
    );
  };
}
