/**
 * Security Event Tokens: signed by the key of access tokens, of a `typ` that nothing else accepts.
 * They have neither `sub` nor `exp`, so that none passes for an access token (RFC 8417 §4.5, §4.6).
 *
 * @see https://www.rfc-editor.org/rfc/rfc8417#section-2
 */
import { signJws } from '../../crypto/jws.ts';
import type { Clock } from '../../lib/clock.ts';
import type { AccessKeys } from './access-token.ts';
import { SECURITY_EVENT_TOKEN_TYPE } from './token-type.ts';

export interface SecurityEvent {
  readonly audience: string;
  readonly id: string;
  /** When it happened, milliseconds since 1970. */
  readonly at: number;
  /** A subject identifier (RFC 9493). */
  readonly subject: Readonly<Record<string, unknown>>;
  /** Members by the URI of the event's type. */
  readonly events: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

export type MintSecurityEvent = (event: SecurityEvent) => string;

export interface SecurityEventDeps {
  readonly clock: Pick<Clock, 'now'>;
  readonly issuer: string;
  readonly signingKeys: Pick<AccessKeys, 'signingKey'>;
}

export function securityEventTokens({
  clock,
  issuer,
  signingKeys,
}: SecurityEventDeps): MintSecurityEvent {
  return ({ audience, id, at, subject, events }) =>
    signJws(signingKeys.signingKey(), SECURITY_EVENT_TOKEN_TYPE, {
      iss: issuer,
      aud: audience,
      iat: Math.floor(clock.now() / 1000),
      jti: id,
      toe: Math.floor(at / 1000),
      sub_id: subject,
      events,
    });
}
