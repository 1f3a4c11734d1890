/**
 * The `[revocation]` section: how services that verify tokens themselves learn of ended sessions.
 */
import { boolean, duration, section } from '../../lib/setting.ts';

export const revocationSection = section('How other services learn of ended sessions.', {
  status_list: boolean({
    sentence: 'Whether access tokens refer to their bit in a Token Status List.',
    default: true,
  }),
  ttl: duration({
    sentence:
      'How long a verifier may cache a status list, and so the maximum delay until it learns of a sign-out.',
    default: '15s',
    min: '1s',
    max: '5m',
  }),
});
