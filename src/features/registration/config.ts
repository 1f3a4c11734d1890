/** The `[registration]` section: who may create an account. */
import { boolean, duration, integer, section } from '../../lib/setting.ts';

export const registrationSection = section('New accounts.', {
  enabled: boolean({
    sentence: 'Whether anyone may register; otherwise the operator creates accounts.',
    default: true,
  }),
  usernames: boolean({
    sentence:
      'Whether accounts may have a username. A taken username is refused, which reveals that it exists; with false, accounts use only email addresses, and no answer reveals whether an address has an account.',
    default: true,
  }),
  anonymous: boolean({
    sentence:
      'Whether anyone may create an account with nothing to sign in with: a session whose user stays the same when a sign-in method is added.',
    default: false,
  }),
  anonymous_ttl: duration({
    sentence: 'An anonymous account that is not used for this long is deleted.',
    default: '30d',
    min: '1d',
    max: '366d',
  }),
  max_anonymous: integer({
    sentence:
      'Maximum number of anonymous accounts. Beyond it, further ones are refused as overloaded.',
    default: 10_000,
    min: 10,
    max: 1_000_000,
  }),
  max_pending: integer({
    sentence:
      'Maximum number of registrations by email whose address is not verified yet, at most 5 kB each. Beyond it, registrations are refused as overloaded.',
    default: 5_000,
    min: 10,
    max: 1_000_000,
  }),
});
