/** The `[registration]` section: who may make an account. */
import { boolean, section } from '../../lib/setting.ts';

export const registrationSection = section('New accounts.', {
  enabled: boolean({
    sentence: 'Whether anybody may register; without it accounts are made by the operator.',
    default: true,
  }),
  usernames: boolean({
    sentence:
      'Whether accounts may choose a username. A taken one is refused as such, so whoever asks learns which exist; with false, accounts go by e-mail address and nothing tells who has one.',
    default: true,
  }),
});
