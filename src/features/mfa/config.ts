/** The `[mfa]` section: who is asked for a second factor. */
import { choice, duration, section } from '../../lib/setting.ts';

export const mfaSection = section('Second factors: who needs one.', {
  required: choice({
    sentence: 'Who must present a second factor: nobody, users who have enrolled one, or everyone.',
    default: 'enrolled',
    of: ['off', 'enrolled', 'all'],
  }),
  grace: duration({
    sentence:
      'With required = "all": how long after their first sign-in users may postpone enrolling one.',
    default: '14d',
    min: '10m',
    max: '366d',
  }),
});
