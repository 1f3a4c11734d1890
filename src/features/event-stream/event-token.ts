/**
 * Security Event Tokens: one for each event and stream, signed by the key of access tokens, of a
 * `typ` that nothing else accepts. They have neither `sub` nor `exp`, so that none passes for an
 * access token (RFC 8417 §4.5, §4.6).
 *
 * @see https://www.rfc-editor.org/rfc/rfc8417#section-2
 * @see https://www.rfc-editor.org/rfc/rfc9493
 */
import { signJws } from '../../crypto/jws.ts';
import type { Kernel } from '../../core/kernel.ts';
import { SECURITY_EVENT_TOKEN_TYPE } from '../../core/token/token-type.ts';
import type { RecordedEvent } from './recorded-event.ts';
import type { ToldEvent } from './event-types.ts';

/** The user, and the session of the user where the event is about one. */
function subjectOf({ userId, sessionId }: RecordedEvent, issuer: string, told: ToldEvent) {
  const user = { format: 'iss_sub', iss: issuer, sub: userId };
  if (!told.isOfSession || sessionId === null) return user;
  return { format: 'complex', user, session: { format: 'opaque', id: sessionId } };
}

/** Its function makes the token of an event. */
export function createEventTokens({
  clock,
  issuer,
  signingKeys,
}: Pick<Kernel, 'clock' | 'issuer' | 'signingKeys'>) {
  return (audience: string, event: RecordedEvent, told: ToldEvent): string =>
    signJws(signingKeys.signingKey(), SECURITY_EVENT_TOKEN_TYPE, {
      iss: issuer,
      aud: audience,
      iat: Math.floor(clock.now() / 1000),
      jti: event.id,
      toe: Math.floor(event.at / 1000),
      sub_id: subjectOf(event, issuer, told),
      events: { [told.uri(issuer)]: told.members(event) },
    });
}

export type EventTokens = ReturnType<typeof createEventTokens>;
