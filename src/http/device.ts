/**
 * A fresh device token for whoever changed their own account: the change voids the one that the
 * device had, and without one an attack on the account could keep its owner out (L02).
 */
import type { Kernel } from '../core/kernel.ts';
import type { Principal } from '../core/session/session.ts';
import { findUserById } from '../core/user/user.ts';
import { DEVICE_COOKIE, readCookie, setCookie } from './cookies.ts';
import type { Call } from './route.ts';

const DEVICE_HEADER = 'device-token';

/** A year: a device token's own life ends with the user's next password. */
export const DEVICE_COOKIE_SECONDS = 31_536_000;

/** What the OpenAPI document says of it. */
export const DEVICE_HEADERS = {
  'Device-Token':
    'A fresh device_token: the change voided the one that this device had. Also a cookie, when the request carried that cookie.',
};

/** Adds the token to the answer; called after the change was committed. */
export type GiveDevice = (call: Call<unknown>, principal: Principal | undefined) => Promise<void>;

export function deviceGiver({ db, deviceTokens }: Pick<Kernel, 'db' | 'deviceTokens'>): GiveDevice {
  return async (call, principal) => {
    const user = principal === undefined ? null : await findUserById(db, principal.user.id);
    if (user === null) return;
    const token = deviceTokens.mint(user);
    call.setHeader(DEVICE_HEADER, token);
    if (readCookie(call.header('cookie'), DEVICE_COOKIE) !== null) {
      call.addCookie(setCookie(DEVICE_COOKIE, token, DEVICE_COOKIE_SECONDS));
    }
  };
}
