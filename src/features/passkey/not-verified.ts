/**
 * The one way in which a ceremony's answer fails: callers learn that it did, the log learns why.
 */

/**
 * What an authenticator or a browser said does not hold. The message is ours and repeats nothing of
 * what was sent.
 */
export class NotVerified extends Error {
  override readonly name = 'NotVerified';
}
