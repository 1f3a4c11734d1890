/**
 * The one way in which a ceremony's answer fails: callers learn that it did, the log learns why.
 */

import type { Context } from '../../core/context.ts';

/**
 * What an authenticator or a browser said does not hold. The message is ours and repeats nothing of
 * what was sent.
 */
export class NotVerified extends Error {
  override readonly name = 'NotVerified';
}

/** Answered on a page that may not use passkeys of this service. */
export class OriginRefused extends NotVerified {
  /** As a browser spells it, or null for what no browser writes. */
  readonly origin: string | null;

  constructor(origin: string | null) {
    super('made on a page of an origin that is not listed');
    this.origin = origin;
  }
}

/** What the caller is told: the authenticator said nothing wrong, the page is. */
export const ORIGIN_DETAIL =
  "Passkeys can't be used on pages of this origin: passkeys.origins does not list it. The log of the service names it.";

/** Names the origin in the log: the authenticator did its part before anybody could refuse. */
export function reportOrigin({ log }: Pick<Context, 'log'>, { origin }: OriginRefused): void {
  log.write(
    'warn',
    'passkey.origin_refused',
    origin === null
      ? 'a passkey was used on a page whose origin no browser would name'
      : `a passkey was used on a page of an origin that is not listed; if it is yours, add "${origin}" to passkeys.origins`,
    origin === null ? {} : { origin },
  );
}
