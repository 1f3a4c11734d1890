/**
 * The only list of features. A new one is a folder, a line here, and a migration (docs/adding.md).
 */
import { admin } from './admin/index.ts';
import { account } from './account/index.ts';
import { apiKey } from './api-key/index.ts';
import { audit } from './audit/index.ts';
import { discovery } from './discovery/index.ts';
import { eventStream } from './event-stream/index.ts';
import { external } from './external/index.ts';
import type { Feature } from './feature.ts';
import { health } from './health/index.ts';
import { mfa } from './mfa/index.ts';
import { otp } from './otp/index.ts';
import { passkey } from './passkey/index.ts';
import { password } from './password/index.ts';
import { phone } from './phone/index.ts';
import { recovery } from './recovery/index.ts';
import { recoveryCode } from './recovery-code/index.ts';
import { registration } from './registration/index.ts';
import { session } from './session/index.ts';
import { importing } from './import/index.ts';
import { introspection } from './introspection/index.ts';
import { statusList } from './status-list/index.ts';
import { token } from './token/index.ts';
import { totp } from './totp/index.ts';
import { verification } from './verification/index.ts';

/** Factors are offered in this order. */
export const features: readonly Feature[] = [
  registration,
  recovery,
  password,
  totp,
  passkey,
  external,
  otp,
  recoveryCode,
  mfa,
  session,
  account,
  phone,
  apiKey,
  admin,
  audit,
  importing,
  verification,
  introspection,
  statusList,
  eventStream,
  token,
  discovery,
  health,
];
