/**
 * The error of every failed ceremony: the client only learns that it failed; the log has the
 * reason.
 */

import type { Context } from '../../core/context.ts';

/**
 * The answer of an authenticator or browser could not be verified. The message contains nothing
 * that the client sent.
 */
export class NotVerified extends Error {
  override readonly name = 'NotVerified';
}

/** The page that answered may not use passkeys of this service. */
export class OriginRefused extends NotVerified {
  /** The origin as a browser spells it; null for a text that no browser would send. */
  readonly origin: string | null;

  constructor(origin: string | null) {
    super('made on a page of an origin that is not listed');
    this.origin = origin;
  }
}

/** The detail for the client: the authenticator's answer was valid, but the page may not use it. */
export const ORIGIN_DETAIL =
  "Passkeys can't be used on pages of this origin: passkeys.origins does not list it. The log of the service names it.";

/**
 * Logs the origin, because the refused page was able to get a valid answer from the authenticator.
 */
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
