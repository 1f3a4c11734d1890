/**
 * Registering with an address alone. The account is created once the address is verified by the
 * person who registered: the code is sent to the mailbox, `registration_id` stays with the
 * front-end, and the link works only with the chosen password. So a victim who clicks an attacker's
 * link does not create an account with the attacker's password.
 */
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { CODE_TTL_MS } from '../../core/one-time/one-time.ts';
import { newCode } from '../../core/one-time/code.ts';
import { insertPendingRegistration, newToken, replaceSecrets } from '../../core/one-time/issue.ts';
import { hashJob, hashShare } from '../../core/password/passwords.ts';
import { networkOf } from '../../core/requester.ts';
import { demandEmail } from '../../core/user/sign-in-name.ts';
import type { HashContext } from '../../crypto/password-hasher.ts';
import { randomToken } from '../../crypto/secret.ts';
import { invalidRequest } from '../../refusal.ts';
import { openContent, requestEmail, sealContent } from './pending.ts';
import type { ProfileInput, RegistrationSettings } from './settings.ts';

export interface EmailRegistration extends ProfileInput {
  readonly email: string;
}

export interface PendingRegistration {
  readonly registrationId: string;
  readonly expiresInSeconds: number;
}

/** Limits what strangers can store here before an address is verified. */
const MAX_PENDING_METADATA_BYTES = 2_048;

/** @throws {Refusal} invalid_request */
export function demandSmall(userMetadata: Record<string, unknown>): void {
  if (Buffer.byteLength(JSON.stringify(userMetadata)) <= MAX_PENDING_METADATA_BYTES) return;
  const detail = `Use at most ${MAX_PENDING_METADATA_BYTES} bytes of JSON until the address is verified; PATCH /me takes more.`;
  throw invalidRequest({ pointer: '/user_metadata', code: 'too_long', detail });
}

/** 192 random bits. */
export const REGISTRATION_ID_BYTES = 24;

export const jobOf = (context: Context): HashContext =>
  hashJob(context, hashShare('registration', networkOf(context.requester)));

/**
 * Starts a registration; the same answer and the same work for free and taken addresses.
 *
 * Its function throws {Refusal} invalid_request, overloaded.
 */
export function registerByEmail(kernel: Kernel, settings: RegistrationSettings) {
  const { passwords, passwordHasher, random } = kernel;
  return async (context: Context, input: EmailRegistration): Promise<PendingRegistration> => {
    const { email, displayName = null, userMetadata = {} } = input;
    const canonical = demandEmail(email);
    demandSmall(userMetadata);
    const owner = { pendingEmail: email, displayName };
    const password = await passwords.accept(input.password, owner, '/password');
    const code = newCode(random);
    const token = newToken(random);
    const passwordHash = await passwordHasher.hash(password, jobOf(context));
    const codeHash = await passwordHasher.hash(code, jobOf(context));
    const id = randomToken(random, REGISTRATION_ID_BYTES);
    const content = { email, passwordHash, credential: null, displayName, userMetadata };
    const requested = await requestEmail(kernel, context, settings, {
      email,
      canonical,
      code,
      token,
    });
    // When the limits of the address are reached, the registration is stored without a code: its
    // email can be requested later.
    const pending = insertPendingRegistration(
      {
        id,
        purpose: 'registration',
        userId: null,
        subject: canonical,
        token,
        codeHash,
        payloadSealed: sealContent(kernel, id, content),
        now: kernel.clock.now(),
        ttlMs: settings.linkTtlMs,
      },
      requested.id,
      settings.maxPending,
    );
    await kernel.commit(context, [requested.statement, pending]);
    context.log.write('info', 'registration.begun', 'an address is to be verified');
    return { registrationId: id, expiresInSeconds: CODE_TTL_MS / 1000 };
  };
}

/**
 * Sends another code to the same address, within its limits. Wrong tries stay counted.
 *
 * Its function throws {Refusal} overloaded.
 */
export function resendRegistration(kernel: Kernel, settings: RegistrationSettings) {
  const { oneTimes, passwordHasher, random } = kernel;
  return async (context: Context, registrationId: string): Promise<void> => {
    const code = newCode(random);
    const token = newToken(random);
    const codeHash = await passwordHasher.hash(code, jobOf(context));
    const pending = await oneTimes.find('registration', registrationId);
    if (pending === null) return;
    const { email, passwordHash } = openContent(kernel, pending);
    const canonical = pending.subject ?? '';
    const requested = await requestEmail(kernel, context, settings, {
      email,
      canonical,
      code,
      token: passwordHash === null ? null : token,
    });
    const now = kernel.clock.now();
    const secrets = { id: registrationId, token, codeHash, now, emailId: requested.id };
    await kernel.commit(context, [requested.statement, replaceSecrets(secrets)]);
  };
}
