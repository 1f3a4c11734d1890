/**
 * Device tokens: opaque to the caller, good for one thing alone, an attempt bucket of one's own at
 * sign-in. A keyed hash over the user, the device and the user's epoch: nothing is stored, and a
 * password change voids those of whoever knew the old one.
 */
import { createHmac } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { constantTimeEqual } from '../../crypto/secret.ts';
import type { Random } from '../../lib/id.ts';

const FORM = /^d1\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})$/;

function tag(key: KeyObject, userId: string, epoch: number, device: string): string {
  return createHmac('sha256', key)
    .update(`postern device\n${userId}\n${epoch}\n${device}`)
    .digest('base64url');
}

/** A token for this user's device; 96 random bits name the device. */
export function mintDeviceToken(
  key: KeyObject,
  random: Random,
  userId: string,
  epoch: number,
): string {
  const device = random.bytes(12).toString('base64url');
  return `d1.${device}.${tag(key, userId, epoch, device)}`;
}

/** The device that a token names, or null when it is not one of this user in this state. */
export function deviceOf(
  key: KeyObject,
  token: string,
  userId: string,
  epoch: number,
): string | null {
  const [, device, given] = FORM.exec(token) ?? [];
  if (device === undefined || given === undefined) return null;
  return constantTimeEqual(given, tag(key, userId, epoch, device)) ? device : null;
}
