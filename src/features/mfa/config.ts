/** The `[mfa]` section: who is asked for a second factor. */
import { choice, duration, section } from '../../lib/setting.ts';

export const mfaSection = section('Second factors: who is asked for one.', {
  required: choice({
    sentence:
      'Whom a sign-in asks for a second factor: nobody, those who have enrolled one, or everybody.',
    default: 'enrolled',
    of: ['off', 'enrolled', 'all'],
  }),
  grace: duration({
    sentence:
      'With required = "all": how long after the first sign-in without one a user may put it off.',
    default: '14d',
    min: '10m',
    max: '366d',
  }),
});
