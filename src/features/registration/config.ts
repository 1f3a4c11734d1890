/** The `[registration]` section: who may make an account. */
import { boolean, section } from '../../lib/setting.ts';

export const registrationSection = section('New accounts.', {
  enabled: boolean({
    sentence: 'Whether anyone may register; otherwise the operator creates accounts.',
    default: true,
  }),
  usernames: boolean({
    sentence:
      'Whether accounts may have a username. A taken username is refused, which reveals that it exists; with false, accounts use email addresses only, and nothing reveals who has one.',
    default: true,
  }),
});
