/**
 * Who acts for the user of a token: the last service first, the previous one nested in it (RFC 8693
 * §4.1).
 */

export interface Actor {
  /** The id of an API key. */
  readonly sub: string;
  readonly name: string;
  readonly act?: unknown;
}

function isActor(value: unknown): value is Actor {
  return typeof value === 'object' && value !== null && 'sub' in value && 'name' in value;
}

/** The API keys in an `act` claim, the last actor first. */
export function actorIds(act: unknown): readonly string[] {
  return isActor(act) ? [act.sub, ...actorIds(act.act)] : [];
}
