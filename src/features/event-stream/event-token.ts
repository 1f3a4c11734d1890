/** The tokens of recorded events, one for each event and stream. */
import { securityEventTokens } from '../../core/token/security-event-token.ts';
import type { SecurityEventDeps } from '../../core/token/security-event-token.ts';
import type { RecordedEvent } from './recorded-event.ts';
import type { ToldEvent } from './event-types.ts';

/** The user, and the session of the user where the event is about one. */
function subjectOf({ userId, sessionId }: RecordedEvent, issuer: string, told: ToldEvent) {
  const user = { format: 'iss_sub', iss: issuer, sub: userId };
  if (!told.isOfSession || sessionId === null) return user;
  return { format: 'complex', user, session: { format: 'opaque', id: sessionId } };
}

/** Its function makes the token of an event. */
export function createEventTokens(deps: SecurityEventDeps) {
  const { issuer } = deps;
  const mint = securityEventTokens(deps);
  return (audience: string, event: RecordedEvent, told: ToldEvent): string =>
    mint({
      audience,
      id: event.id,
      at: event.at,
      subject: subjectOf(event, issuer, told),
      events: { [told.uri(issuer)]: told.members(event) },
    });
}

export type EventTokens = ReturnType<typeof createEventTokens>;
