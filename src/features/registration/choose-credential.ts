/** What a new account is signed in to with: a password, or a credential of one of the factors. */
import type * as z from 'zod';
import type { Context } from '../../core/context.ts';
import type { AccountCredential } from '../../core/factor/factor.ts';
import type { Kernel } from '../../core/kernel.ts';
import { passwordText } from '../../http/fields.ts';
import { invalidRequest } from '../../refusal.ts';
import { registerAnonymously } from './register-anonymously.ts';
import { registerByEmail } from './register-by-email.ts';
import type { PendingRegistration } from './register-by-email.ts';
import { registerByUsername } from './register-by-username.ts';
import type { Registered } from './register-by-username.ts';
import { registerAddress, registerNamed } from './register-with-credential.ts';
import type { GivenCredential } from './register-with-credential.ts';
import type { Profile, RegistrationSettings } from './settings.ts';

interface Named {
  readonly name: string;
  readonly credential: AccountCredential;
}

/** The credentials that an account can be created with, by the names of their factors. */
export function accountCredentials({ factors: { active } }: Kernel): readonly Named[] {
  return active.flatMap(({ name, accountCredential: credential }) =>
    credential === undefined ? [] : [{ name, credential }],
  );
}

/** Their members of the body; without any, the password is required. */
export function credentialMembers(credentials: readonly Named[]): { password: z.ZodType<string> } {
  const password: z.ZodType = passwordText();
  const members = credentials.map(({ name, credential }) => [name, credential.answer.optional()]);
  const all = { password: members.length === 0 ? password : password.optional() };
  return Object.assign(all, Object.fromEntries(members));
}

export type Chosen =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'credential'; readonly given: GivenCredential };

/** The one that a body has. @throws {Refusal} invalid_request: none, or several */
export function chosenIn(
  body: Readonly<Record<string, unknown>>,
  credentials: readonly Named[],
): Chosen {
  const { password, anonymous } = body;
  const given = credentials.filter(({ name }) => body[name] !== undefined);
  const [first] = given;
  const others = [password, anonymous].filter((one) => one !== undefined).length;
  if (given.length + others > 1) {
    const names = ['password', ...credentials.map(({ name }) => name)].join(', ');
    throw invalidRequest({ pointer: '', code: 'too_many', detail: `Send only one of ${names}.` });
  }
  if (anonymous === true) return { kind: 'anonymous' };
  if (typeof password === 'string') return { kind: 'password', password };
  if (first === undefined)
    throw invalidRequest({ pointer: '/password', code: 'required', detail: 'This is required.' });
  const { name: factor, credential } = first;
  return { kind: 'credential', given: { factor, credential, answer: body[factor] } };
}

export interface AddressRegistration extends Profile {
  readonly email: string;
  readonly chosen: Exclude<Chosen, { kind: 'anonymous' }>;
}

/** Its function throws {Refusal} invalid_request, overloaded. */
export function registerByAddress(kernel: Kernel, settings: RegistrationSettings) {
  const withPassword = registerByEmail(kernel, settings);
  const withCredential = registerAddress(kernel, settings);
  return (context: Context, input: AddressRegistration): Promise<PendingRegistration> => {
    const { chosen, ...rest } = input;
    return chosen.kind === 'password'
      ? withPassword(context, { ...rest, password: chosen.password })
      : withCredential(context, { ...rest, given: chosen.given });
  };
}

export interface AnyRegistration extends Profile {
  readonly username: string | undefined;
  readonly email: string | undefined;
  readonly chosen: Chosen;
}

/** @throws {Refusal} invalid_request: it has a name, which only one with a credential can have */
function demandNameless({ username, email }: AnyRegistration): void {
  if (username === undefined && email === undefined) return;
  const pointer = username === undefined ? '/email' : '/username';
  const detail = 'An anonymous account has no name. Leave it out, and add it later.';
  throw invalidRequest({ pointer, code: 'unknown_member', detail });
}

/** Its function throws {Refusal} username_taken, passkey_registered, invalid_request, overloaded. */
export function registerAs(kernel: Kernel, settings: RegistrationSettings) {
  const withPassword = registerByUsername(kernel);
  const withCredential = registerNamed(kernel);
  const byAddress = registerByAddress(kernel, settings);
  const anonymously = registerAnonymously(kernel, { most: settings.maxAnonymous ?? 0 });
  return async (
    context: Context,
    input: AnyRegistration,
  ): Promise<Registered | PendingRegistration> => {
    const { username, email, chosen, ...profile } = input;
    if (chosen.kind === 'anonymous') {
      demandNameless(input);
      return anonymously(context, profile);
    }
    if (username !== undefined) {
      return chosen.kind === 'password'
        ? withPassword(context, { username, email, password: chosen.password, ...profile })
        : withCredential(context, { username, email, given: chosen.given, ...profile });
    }
    if (email !== undefined) return byAddress(context, { email, chosen, ...profile });
    const detail = 'Send a username, or an email address alone.';
    throw invalidRequest({ pointer: '/username', code: 'required', detail });
  };
}
