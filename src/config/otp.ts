/** The `[otp]` section: what holds for every sign-in code, however it is sent. */
import { boolean, choice, duration, integer, section } from '../lib/setting.ts';

export const otpSection = section('Sign-in codes, however they are sent.', {
  length: integer({
    sentence: 'How many characters a code has.',
    default: 6,
    min: 6,
    max: 10,
    unit: 'characters',
  }),
  alphabet: choice({
    sentence:
      'The characters of a code: digits, or digits and letters without those that look alike, in either case.',
    default: 'digits',
    of: ['digits', 'letters'],
  }),
  ttl: duration({
    sentence: 'How long a code is valid.',
    default: '10m',
    min: '1m',
    max: '10m',
  }),
  link: boolean({
    sentence:
      'Whether the email of a code has a link too: it signs in on the device that asked, and leads to mail.sign_in_url.',
    default: false,
  }),
  auto_register: boolean({
    sentence:
      'Whether an address without an account gets a code too, which creates the account. Needs registration.enabled.',
    default: false,
  }),
});
