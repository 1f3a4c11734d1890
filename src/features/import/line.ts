/** One line of an import: its members, and the user that they make. */
import * as z from 'zod';
import { demandClaims } from '../../core/user/claims.ts';
import type { Portable } from '../../core/user/portable.ts';
import { canonicalPhone, demandEmail, demandUsername } from '../../core/user/sign-in-name.ts';
import { inputFaults, metadata, nameText, phoneText, text } from '../../http/fields.ts';
import { isId } from '../../lib/id.ts';
import { JsonError, parseJson } from '../../lib/json.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import type { ImportedUser } from './store.ts';

const MAX_JSON_DEPTH = 8;

const time = z.iso.datetime({ offset: true }).transform((value) => Date.parse(value));
const flag = z.boolean();

const shape = {
  id: z
    .string()
    .refine(isId)
    .nullish()
    .meta({ description: 'A UUID in lower case; a new one without it.' }),
  external_id: text({ min: 1, max: 255 }).nullish().meta({
    description: 'What the other system calls the account; this, or id, is required.',
  }),
  username: nameText('name').nullish(),
  email: nameText('address').nullish().meta({ description: 'A verified address.' }),
  email_verified: flag.nullish().meta({ description: 'False makes email a pending one.' }),
  pending_email: nameText('address').nullish().meta({
    description: 'An address that nobody has verified: nobody can sign in with it.',
  }),
  phone: phoneText().nullish().meta({ description: 'A verified number, in international form.' }),
  display_name: text({ min: 1, max: 128 }).nullish(),
  user_metadata: metadata().nullish(),
  claims: metadata().nullish(),
  disabled: flag.nullish(),
  disabled_at: time.nullish(),
  password_change_required: flag.nullish(),
  password_change_required_at: time.nullish(),
  created_at: time.nullish(),
  updated_at: time.nullish(),
  password_hash: z.string().max(2_048, 'No hash is that long.').nullish(),
};

const Shape = z.strictObject(shape);
export type ImportLine = z.output<typeof Shape>;

/** The schema of a line with the members that features brought. */
export function lineSchema(portables: readonly Portable[]) {
  return Shape.extend(
    Object.fromEntries(portables.map(({ name, schema }) => [name, schema.nullish()])),
  );
}

export type LineSchema = ReturnType<typeof lineSchema>;

/** @throws {Refusal} invalid_request: with each fault of the line */
export function parseLine(schema: LineSchema, content: string): ImportLine {
  let value: unknown;
  try {
    value = parseJson(content, { maxDepth: MAX_JSON_DEPTH });
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    const detail = 'This is not one JSON object on a line of its own, in strict JSON.';
    throw invalidRequest({ pointer: error.pointer, code: 'malformed_line', detail });
  }
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw invalidRequest(...inputFaults(parsed.error));
}

/** Runs a check whose refusals are told with another pointer. */
function at<T>(pointer: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof Refusal) || error.options.errors === undefined) throw error;
    throw invalidRequest(...error.options.errors.map((fault) => ({ ...fault, pointer })));
  }
}

interface Addresses {
  readonly email: string | null;
  readonly pendingEmail: string | null;
}

/** @throws {Refusal} invalid_request */
function addressesOf({ email, email_verified, pending_email }: ImportLine): Addresses {
  const isPending = email_verified === false;
  const pendingEmail = (isPending ? email : pending_email) ?? null;
  if (isPending && pending_email !== undefined && pending_email !== null) {
    const detail = 'Send one address that is not verified.';
    throw invalidRequest({ pointer: '/pending_email', code: 'invalid', detail });
  }
  return { email: isPending ? null : (email ?? null), pendingEmail };
}

const REQUIRED = [
  {
    pointer: '/external_id',
    code: 'required',
    detail: 'Send external_id or id: a line that comes again is known by it.',
  },
  {
    pointer: '/email',
    code: 'required',
    detail: 'An account has a username, an email address or a telephone number.',
  },
];

/** @throws {Refusal} invalid_request */
function demandNames(line: ImportLine, { email, pendingEmail }: Addresses): void {
  const [identity, name] = REQUIRED;
  const isNamed = Boolean(line.id ?? line.external_id);
  if (!isNamed && identity !== undefined) throw invalidRequest(identity);
  if ((line.username ?? email ?? pendingEmail ?? line.phone ?? null) === null && name !== undefined)
    throw invalidRequest(name);
}

/** When a state began: at a given time, now, or not at all. */
function since(
  is: boolean | null | undefined,
  began: number | null | undefined,
  now: number,
): number | null {
  if (is === false) return null;
  return began ?? (is === true ? now : null);
}

const canonicalOf = (
  value: string | null,
  pointer: string,
  demand: (text: string) => string,
): string | null => (value === null ? null : at(pointer, () => demand(value)));

const NO_PHONE = {
  pointer: '/phone',
  code: 'invalid_phone',
  detail: 'Write the number with + and its country calling code.',
};

/** @throws {Refusal} invalid_request */
function phoneOf(phone: string | null): string | null {
  const canonical = phone === null ? null : canonicalPhone(phone);
  if (phone !== null && canonical === null) throw invalidRequest(NO_PHONE);
  return canonical;
}

/** @throws {Refusal} invalid_request */
export function userOf(
  line: ImportLine,
  { now, newId }: { readonly now: number; readonly newId: () => string },
): ImportedUser {
  const addresses = addressesOf(line);
  demandNames(line, addresses);
  const { email, pendingEmail } = addresses;
  const username = line.username ?? null;
  const createdAt = Math.min(line.created_at ?? now, now);
  return {
    id: line.id ?? newId(),
    externalId: line.external_id ?? null,
    username,
    usernameCanonical: canonicalOf(username, '/username', demandUsername),
    email,
    emailCanonical: canonicalOf(email, '/email', demandEmail),
    pendingEmail,
    pendingEmailCanonical: canonicalOf(
      pendingEmail,
      line.email_verified === false ? '/email' : '/pending_email',
      demandEmail,
    ),
    phone: phoneOf(line.phone ?? null),
    displayName: line.display_name ?? null,
    userMetadata: line.user_metadata ?? {},
    claims: demandClaims(line.claims ?? {}, '/claims'),
    disabledAt: since(line.disabled, line.disabled_at, now),
    passwordChangeRequiredAt: since(
      line.password_change_required,
      line.password_change_required_at,
      now,
    ),
    createdAt,
    updatedAt: Math.max(line.updated_at ?? createdAt, createdAt),
  };
}
