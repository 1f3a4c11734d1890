/**
 * How refresh and device tokens travel: in JSON bodies, or in cookies when the configuration allows
 * and the request asks.
 */
import * as z from 'zod';
import { invalidRequest } from '../refusal.ts';
import type { App } from '../app/capabilities.ts';
import type { Authenticated, Authentication, MfaRequired } from '../core/factor/authentication.ts';
import {
  DEVICE_COOKIE,
  REFRESH_COOKIE,
  clearCookie,
  demandOrigin,
  readCookie,
  setCookie,
} from './cookies.ts';
import { rfc3339 } from './fields.ts';
import type { Call } from './route.ts';
import { bearerToken } from './security.ts';

/** The member of a sign-in's body that asks for the cookie. */
export const cookieMember = z.boolean().optional().meta({
  description:
    'True: the refresh token comes as a __Host-refresh cookie and not in the body. Needs cookies.enabled.',
});

/** A year: the device token's own life ends with the user's next password. */
const DEVICE_COOKIE_SECONDS = 31_536_000;

/** An authentication as it is sent: tokens that travel as cookies are not in the body. */
export type Delivered = Omit<Authenticated, 'refresh_token' | 'device_token' | 'mfa_due_at'> & {
  refresh_token?: string;
  device_token?: string;
  mfa_due_at?: string;
};

/**
 * Puts the tokens of an authentication where the request asked for them; {@link demandCookies} came
 * before.
 */
export function deliver(
  call: Call<unknown>,
  authentication: Authenticated,
  asked: boolean,
): Delivered;
export function deliver(
  call: Call<unknown>,
  authentication: Authentication,
  asked: boolean,
): Delivered | MfaRequired;
export function deliver(
  call: Call<unknown>,
  authentication: Authentication,
  asked: boolean,
): Delivered | MfaRequired {
  if (authentication.status !== 'authenticated') return authentication;
  const { mfa_due_at, ...tokens } = authentication;
  const shown = mfa_due_at === undefined ? tokens : { ...tokens, mfa_due_at: rfc3339(mfa_due_at) };
  if (!asked) return shown;
  const { refresh_token, device_token, ...rest } = shown;
  call.addCookie(setCookie(REFRESH_COOKIE, refresh_token, authentication.refresh_token_expires_in));
  if (device_token !== undefined)
    call.addCookie(setCookie(DEVICE_COOKIE, device_token, DEVICE_COOKIE_SECONDS));
  return rest;
}

/**
 * Called before any work: whether the answer may be a cookie at all. @throws {Refusal}
 * invalid_request, origin_not_allowed
 */
export function demandCookies(app: App, call: Call<unknown>, asked: boolean): void {
  if (!asked) return;
  const { enabled, allowed_origins } = app.config.cookies;
  if (!enabled)
    throw invalidRequest({
      pointer: '/cookie',
      code: 'not_enabled',
      detail: 'Cookies are off here: set cookies.enabled, or leave this out.',
    });
  demandOrigin(call.header('origin'), allowed_origins);
}

export interface PresentedToken {
  readonly token: string;
  readonly from: 'body' | 'cookie' | 'authorization';
}

/**
 * The refresh token of a request: body, else Authorization, else the cookie (which needs a listed
 * Origin).
 *
 * @throws {Refusal} invalid_request when there is none, invalid_token, origin_not_allowed
 */
export function presentedToken(
  app: App,
  call: Call<{ refresh_token?: string | undefined }>,
): PresentedToken {
  if (call.body.refresh_token !== undefined)
    return { token: call.body.refresh_token, from: 'body' };
  const bearer = bearerToken(call.header('authorization'), call.headerLines('authorization'));
  if (bearer !== null) return { token: bearer, from: 'authorization' };
  const { enabled, allowed_origins } = app.config.cookies;
  const cookie = enabled ? readCookie(call.header('cookie'), REFRESH_COOKIE) : null;
  if (cookie === null || cookie === '')
    throw invalidRequest({
      pointer: '/refresh_token',
      code: 'required',
      detail: 'Send the refresh token.',
    });
  demandOrigin(call.header('origin'), allowed_origins);
  return { token: cookie, from: 'cookie' };
}

/** The device token of a sign-in: body, else its cookie. */
export function presentedDevice(
  app: App,
  call: Call<{ device_token?: string | undefined }>,
): string | undefined {
  if (call.body.device_token !== undefined) return call.body.device_token;
  return app.config.cookies.enabled
    ? (readCookie(call.header('cookie'), DEVICE_COOKIE) ?? undefined)
    : undefined;
}

export function forgetRefreshCookie(call: Call<unknown>): void {
  call.addCookie(clearCookie(REFRESH_COOKIE));
}
