/**
 * Where refresh and device tokens are sent: in JSON bodies, or in cookies when the configuration
 * allows it and the request asks for it.
 */
import * as z from 'zod';
import type { Authenticated, Authentication } from '../core/factor/authentication.ts';
import { Refusal, invalidRequest } from '../refusal.ts';
import {
  DEVICE_COOKIE,
  REFRESH_COOKIE,
  clearCookie,
  OTHER_SITE,
  demandOrigin,
  demandSameSite,
  isOtherSite,
  readCookie,
  setCookie,
} from './cookies.ts';
import { DEVICE_COOKIE_SECONDS } from './device.ts';
import { rfc3339 } from './fields.ts';
import type { Call } from './route.ts';
import type { AuthenticatedReply, MfaRequiredReply } from './schemas.ts';
import { bearerToken } from './security.ts';

/** Whether refresh tokens may be sent as cookies, and to pages of which origins. */
export interface CookiePolicy {
  readonly enabled: boolean;
  readonly allowed_origins: readonly string[];
}

/** The member of a sign-in's body that asks for the cookie. */
export const cookieMember = z.boolean().optional().meta({
  description:
    'True: the refresh token is sent as a __Host-refresh cookie and not in the body. Needs cookies.enabled.',
});

type Delivered = z.input<typeof AuthenticatedReply>;
type Pending = z.input<typeof MfaRequiredReply>;

/**
 * An authentication as it is sent, with its tokens where the request wants them. Call
 * {@link demandCookies} first.
 *
 * @param asked the `cookie` member of the body
 */
export function deliver(call: Call<unknown>, done: Authenticated, asked: unknown): Delivered;
export function deliver(
  call: Call<unknown>,
  done: Authentication,
  asked: unknown,
): Delivered | Pending;
export function deliver(
  call: Call<unknown>,
  done: Authentication,
  asked: unknown,
): Delivered | Pending {
  if (done.status === 'mfa_required') {
    return {
      status: done.status,
      challenge_token: done.challengeToken,
      factors: done.factors,
      expires_in: done.expiresInSeconds,
    };
  }
  const { refreshToken, refreshTokenExpiresInSeconds, deviceToken, mfaDueAt, rotated } = done;
  const common = {
    status: done.status,
    token_type: 'Bearer' as const,
    access_token: done.accessToken,
    expires_in: done.expiresInSeconds,
    refresh_token_expires_in: refreshTokenExpiresInSeconds,
    session_id: done.sessionId,
    ...(rotated === undefined ? {} : { rotated }),
    ...(mfaDueAt === undefined ? {} : { mfa_due_at: rfc3339(mfaDueAt) }),
  };
  if (asked !== true) {
    return {
      refresh_token: refreshToken,
      ...common,
      ...(deviceToken === undefined ? {} : { device_token: deviceToken }),
    };
  }
  call.addCookie(setCookie(REFRESH_COOKIE, refreshToken, refreshTokenExpiresInSeconds));
  if (deviceToken !== undefined) {
    call.addCookie(setCookie(DEVICE_COOKIE, deviceToken, DEVICE_COOKIE_SECONDS));
  }
  return common;
}

/**
 * Called before any work: checks whether the answer may use a cookie.
 *
 * @param asked the `cookie` member of the body
 * @throws {Refusal} invalid_request, origin_not_allowed
 */
export function demandCookies(
  { enabled, allowed_origins }: CookiePolicy,
  call: Call<unknown>,
  asked: unknown,
): void {
  if (asked !== true) return;
  if (!enabled) {
    const detail = 'Cookies are disabled on this service: set cookies.enabled, or leave this out.';
    throw invalidRequest({ pointer: '/cookie', code: 'not_enabled', detail });
  }
  demandOrigin(call.header('origin'), allowed_origins);
  demandSameSite(call.header('sec-fetch-site'));
}

export interface PresentedToken {
  readonly token: string;
  readonly from: 'body' | 'cookie' | 'authorization';
}

/**
 * The refresh token of a request: from the body, else Authorization, else the cookie (which needs a
 * listed Origin).
 *
 * @throws {Refusal} invalid_request or, where cookies are enabled, refresh_cookie_missing when
 *   there is none; invalid_token, origin_not_allowed
 */
export function presentedToken(
  { enabled, allowed_origins }: CookiePolicy,
  call: Call<{ refresh_token?: string | undefined }>,
): PresentedToken {
  if (call.body.refresh_token !== undefined)
    return { token: call.body.refresh_token, from: 'body' };
  const bearer = bearerToken(call.header('authorization'), call.headerLines('authorization'));
  if (bearer !== null) return { token: bearer, from: 'authorization' };
  const cookie = enabled ? readCookie(call.header('cookie'), REFRESH_COOKIE) : null;
  if (cookie === null || cookie === '') {
    if (enabled) throw cookieMissing(call);
    const detail = 'Send the refresh token.';
    throw invalidRequest({ pointer: '/refresh_token', code: 'required', detail });
  }
  demandOrigin(call.header('origin'), allowed_origins);
  return { token: cookie, from: 'cookie' };
}

/**
 * A browser does not send a Strict cookie from a page of another site, and gives the page no error.
 */
function cookieMissing(call: Call<unknown>): Refusal {
  const site = call.header('sec-fetch-site');
  const isElsewhere =
    site === null ? isOtherSite(call.header('origin'), call.header('host')) : site === 'cross-site';
  return new Refusal('refresh_cookie_missing', isElsewhere ? { detail: OTHER_SITE } : {});
}

/** The device token of a sign-in: from the body, else its cookie. */
export function presentedDevice(
  { enabled }: CookiePolicy,
  call: Call<{ device_token?: string | undefined }>,
): string | undefined {
  if (call.body.device_token !== undefined) return call.body.device_token;
  return enabled ? (readCookie(call.header('cookie'), DEVICE_COOKIE) ?? undefined) : undefined;
}

export function forgetRefreshCookie(call: Call<unknown>): void {
  call.addCookie(clearCookie(REFRESH_COOKIE));
}
