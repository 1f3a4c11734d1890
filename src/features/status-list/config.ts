/**
 * The `[revocation]` section: how services that verify tokens themselves learn of ended sessions.
 */
import { boolean, duration, section } from '../../lib/setting.ts';

export const revocationSection = section('How other services hear of ended sessions.', {
  status_list: boolean({
    sentence: 'Whether access tokens name their bit in a Token Status List.',
    default: true,
  }),
  ttl: duration({
    sentence: 'How long a verifier may keep a status list: it hears of a sign-out this much later.',
    default: '15s',
    min: '1s',
    max: '5m',
  }),
});
