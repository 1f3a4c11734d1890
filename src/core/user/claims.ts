/**
 * Claims that an operator sets for a user or an API key. Other services interpret them; this
 * service only makes sure that they are small and unambiguous.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9068#section-2.2.3.1 for roles, groups and entitlements
 */
import { eq } from 'drizzle-orm';
import type { Statement } from '../../db/database.ts';
import { given, prepare, query } from '../../db/prepare.ts';
import { hasControlCharacters } from '../../lib/text.ts';
import type { JsonObject } from '../../lib/json.ts';
import { invalidRequest } from '../../refusal.ts';
import type { InputFault } from '../../refusal.ts';
import { guarded } from '../guards.ts';
import { isRegisteredClaim } from '../token/registered-claims.ts';
import { user } from './tables.ts';
import { touched } from './user.ts';

/** Every token contains them, and a token may have at most MAX_TOKEN_LENGTH. */
const MAX_BYTES = 2_048;
const MAX_NAMES = 64;

/** Claims whose value is a list of names. */
const LISTS: ReadonlySet<string> = new Set(['roles', 'groups', 'entitlements']);

const NAME = /^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$/;

function faultOf(name: string, value: unknown): InputFault | null {
  const pointer = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  if (isRegisteredClaim(name)) {
    return { pointer, code: 'registered_claim', detail: `${name} is written by the service.` };
  }
  if (!NAME.test(name)) {
    const detail = 'Use 1 to 128 of A-Z a-z 0-9 _ . : / - and begin with a letter.';
    return { pointer: '', code: 'invalid', detail };
  }
  if (LISTS.has(name) && !isListOfNames(value)) {
    const detail = `This has to be an array of at most ${MAX_NAMES} texts.`;
    return { pointer, code: 'wrong_type', detail };
  }
  return null;
}

function isListOfNames(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= MAX_NAMES &&
    new Set(value).size === value.length &&
    value.every((name) => typeof name === 'string' && name !== '' && !hasControlCharacters(name))
  );
}

/**
 * @param at where the claims stand in the body (RFC 6901)
 * @throws {Refusal} invalid_request: with each fault
 */
export function demandClaims(claims: JsonObject, at = ''): JsonObject {
  const faults = Object.entries(claims).flatMap(([name, value]) => faultOf(name, value) ?? []);
  const text = JSON.stringify(claims);
  if (Buffer.byteLength(text) > MAX_BYTES) {
    const detail = `Use at most ${MAX_BYTES} bytes of JSON for all claims together.`;
    faults.push({ pointer: '', code: 'too_long', detail });
  }
  if (faults.length > 0)
    throw invalidRequest(...faults.map((one) => ({ ...one, pointer: `${at}${one.pointer}` })));
  return claims;
}

const setClaims = prepare(
  query
    .update(user)
    .set({ ...touched, claims: given('claims') })
    .where(eq(user.id, given('id'))),
);

/** The statement that sets an operator's claims; {@link demandClaims} has checked them. */
export function setUserClaims(id: string, claims: JsonObject, now: number): Statement {
  return guarded(setClaims({ id, claims: JSON.stringify(claims), now }), 'not_found');
}
