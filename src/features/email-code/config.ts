/** The `[otp.email]` section: signing in with a code that is sent by email. */
import { boolean, section } from '../../lib/setting.ts';

export const emailCodeSection = section('Sign-in with a code that is sent by email.', {
  enabled: boolean({
    sentence:
      'Whether users may sign in with a code sent to their verified address, without a password. It counts as one factor of the lowest level.',
    default: false,
  }),
});
