/** The `[otp.email]` and `[otp.sms]` sections: signing in with a code. */
import { boolean, section } from '../../lib/setting.ts';

export const emailCodeSection = section('Sign-in with a code that is sent by email.', {
  enabled: boolean({
    sentence:
      'Whether users may sign in with a code sent to their verified address, without a password. It counts as one factor of the lowest level.',
    default: false,
  }),
});

export const smsCodeSection = section('Sign-in with a code that is sent as a text message.', {
  enabled: boolean({
    sentence:
      'Whether users may sign in with a code sent to their verified number, without a password. It counts as one factor of the lowest level. Needs sms.countries.',
    default: false,
  }),
});
