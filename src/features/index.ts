/**
 * The one list of features. A new one is a folder, a line here, a section of the configuration and
 * a migration.
 */
import type { Feature } from './feature.ts';
import { account } from './account/index.ts';
import { discovery } from './discovery/index.ts';
import { health } from './health/index.ts';
import { mfa } from './mfa/index.ts';
import { passkey } from './passkey/index.ts';
import { password } from './password/index.ts';
import { session } from './session/index.ts';
import { totp } from './totp/index.ts';
import { verification } from './verification/index.ts';

export const features: readonly Feature[] = [
  password,
  totp,
  passkey,
  mfa,
  session,
  account,
  verification,
  discovery,
  health,
];
