/**
 * Device tokens: opaque to the caller, good for one thing alone, attempt counters of one's own at
 * sign-in. A keyed hash over the user, the device and the user's epoch: nothing is stored, and a
 * password change voids those of whoever knew the old one.
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { constantTimeEqual } from '../../crypto/secret.ts';
import type { Random } from '../../lib/id.ts';
import type { User } from '../user/user.ts';

const FORM = /^d1\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})$/;

/** 96 random bits name a device. */
const DEVICE_BYTES = 12;

type Subject = Pick<User, 'id' | 'epoch'>;

export interface DeviceTokens {
  /** A token for a device of this user, in this state. */
  mint(user: Subject): string;
  /** The device that a token names, or null when it is not one of this user in this state. */
  deviceOf(token: string, user: Subject): string | null;
}

export interface DeviceTokenDeps {
  readonly signingKeys: { readonly derivedKey: KeyObject };
  readonly random: Random;
}

export function createDeviceTokens({ signingKeys, random }: DeviceTokenDeps): DeviceTokens {
  const tag = ({ id, epoch }: Subject, device: string): string =>
    createHmac('sha256', signingKeys.derivedKey)
      .update(`postern device\n${id}\n${epoch}\n${device}`)
      .digest('base64url');
  return {
    mint: (user) => {
      const device = random.bytes(DEVICE_BYTES).toString('base64url');
      return `d1.${device}.${tag(user, device)}`;
    },
    deviceOf: (token, user) => {
      const [, device, given] = FORM.exec(token) ?? [];
      if (device === undefined || given === undefined) return null;
      return constantTimeEqual(given, tag(user, device)) ? device : null;
    },
  };
}
