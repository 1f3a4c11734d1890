/**
 * Device tokens: opaque to the caller; they only give the device its own attempt counters at
 * sign-in. A token is a keyed hash of user, device and epoch: nothing is stored, a password change
 * voids the tokens of an attacker who knew the old one, and withdrawing an internal key voids the
 * tokens made with it.
 */
import type { KeyObject } from 'node:crypto';
import { keyedHash } from '../../crypto/keyed-hash.ts';
import { constantTimeEqual } from '../../crypto/secret.ts';
import type { Random } from '../../lib/id.ts';
import type { User } from '../user/user.ts';

const FORM = /^d1\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})$/;

/** 96 random bits identify a device. */
const DEVICE_BYTES = 12;

type Subject = Pick<User, 'id' | 'epoch'>;

export interface DeviceTokens {
  /** A token for a device of this user, in this state. */
  mint(user: Subject): string;
  /** The device that a token names, or null when it is not one of this user in this state. */
  deviceOf(token: string, user: Subject): string | null;
}

export interface DeviceTokenDeps {
  readonly signingKeys: { deviceKeys(): readonly KeyObject[] };
  readonly random: Random;
}

export function createDeviceTokens({ signingKeys, random }: DeviceTokenDeps): DeviceTokens {
  const tag = (key: KeyObject, { id, epoch }: Subject, device: string): string =>
    keyedHash(key, 'device', id, String(epoch), device);
  return {
    mint: (user) => {
      const [key] = signingKeys.deviceKeys();
      if (key === undefined) throw new Error('no internal key');
      const device = random.bytes(DEVICE_BYTES).toString('base64url');
      return `d1.${device}.${tag(key, user, device)}`;
    },
    deviceOf: (token, user) => {
      const [, device, given] = FORM.exec(token) ?? [];
      if (device === undefined || given === undefined) return null;
      const isTagged = (key: KeyObject) => constantTimeEqual(given, tag(key, user, device));
      return signingKeys.deviceKeys().some(isTagged) ? device : null;
    },
  };
}
