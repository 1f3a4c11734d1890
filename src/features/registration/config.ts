/** The `[registration]` section: who may create an account. */
import { boolean, integer, section } from '../../lib/setting.ts';

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
  max_pending: integer({
    sentence:
      'Maximum number of registrations by email that wait for their mailbox at once, at most 5 kB each. Past it further ones are refused as overloaded.',
    default: 5_000,
    min: 10,
    max: 1_000_000,
  }),
});
