/**
 * Issues a new device token after a user changed their account: the change voids the old one, and
 * without a device token an attack on the account could lock its owner out (L02).
 */
import type { Kernel } from '../core/kernel.ts';
import type { Principal } from '../core/session/session.ts';
import { findUserById } from '../core/user/user.ts';
import { DEVICE_COOKIE, readCookie, setCookie } from './cookies.ts';
import type { Call } from './route.ts';

const DEVICE_HEADER = 'device-token';

/** One year; the token itself is void earlier, at the user's next password change. */
export const DEVICE_COOKIE_SECONDS = 31_536_000;

/** Its description in the OpenAPI document. */
export const DEVICE_HEADERS = {
  'Device-Token':
    'A new device_token: the change voided the previous one of this device. Also set as a cookie, when the request carried that cookie.',
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
