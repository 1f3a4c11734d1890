/**
 * The `[password]` section: how long passwords are, and what their hashes cost (NIST SP 800-63B-4
 * §3.1.1, ASVS 11.4.2).
 */
import { readSecretText } from '../../lib/secret-text.ts';
import {
  boolean,
  duration,
  integer,
  list,
  optionalText,
  plainText,
  secret,
  secretList,
  section,
  size,
  text,
} from '../../lib/setting.ts';

const MIN_PEPPER_BYTES = 16;

export const passwordSection = section('Passwords and their hashes (argon2id).', {
  min_length: integer({
    sentence: 'Fewest code points of a new password; below 15 it should not be the only factor.',
    default: 15,
    min: 8,
    max: 64,
    unit: 'code points',
  }),
  memory: size({
    sentence:
      'Memory of one hash. The floor depends on passes: 46MiB for 1, 19MiB for 2, 12MiB for more.',
    default: '19MiB',
    min: '12MiB',
    max: '1GiB',
  }),
  passes: integer({
    sentence: 'Passes over the memory of one hash.',
    default: 2,
    min: 1,
    max: 100,
  }),
  lanes: integer({ sentence: "Argon2's parallelism of one hash.", default: 1, min: 1, max: 16 }),
  threads: integer({
    sentence: 'Threads that hash; 0 means one per core.',
    default: 0,
    min: 0,
    max: 256,
  }),
  queue_length: integer({
    sentence: 'Most sign-ins that wait for a thread; more are answered 503.',
    default: 128,
    min: 1,
    max: 100_000,
  }),
  deadline: duration({
    sentence: 'Longest wait for a thread; after it the answer is 503.',
    default: '2s',
    min: '100ms',
    max: '10s',
  }),
  pepper: secret({
    sentence:
      'Key that goes into every new hash and is kept apart from the database; it can be added at any time, but not lost.',
    unit: `at least ${MIN_PEPPER_BYTES} bytes`,
    absent: 'no pepper',
    read: readSecretText(MIN_PEPPER_BYTES),
  }),
  previous_peppers: secretList({
    sentence:
      'Former peppers: they still verify, and hashes move to the pepper at the next sign-in.',
    unit: 'former values of pepper',
    read: readSecretText(MIN_PEPPER_BYTES),
  }),
  history: integer({
    sentence:
      'How many former passwords must not come back; the present one never may when this is above 0.',
    default: 0,
    min: 0,
    max: 24,
  }),
  max_age: duration({
    sentence:
      'Age after which a password has to be changed at sign-in; 0s is never, which is what NIST asks for.',
    default: '0s',
    min: '0s',
    max: '3650d',
  }),
  breached_file: optionalText({
    sentence: 'A filter of breached passwords, asked in memory; made by "postern breached build".',
    absent: 'none',
    example: '/var/lib/postern/breached.filter',
    unit: 'a file',
    read: plainText,
  }),
  breached_range: boolean({
    sentence:
      "Whether to ask Have I Been Pwned's range API, which learns five hexadecimal digits of the hash; when it is down, the password is taken.",
    default: false,
  }),
  breached_range_url: text({
    sentence: 'Where that API is.',
    default: 'https://api.pwnedpasswords.com',
    unit: 'a URL',
  }),
  breached_timeout: duration({
    sentence: 'Longest wait for it.',
    default: '2s',
    min: '100ms',
    max: '10s',
  }),
  context_words: list({
    sentence:
      'Words that are too easy to guess here as a password, such as the names of product and company.',
    default: [],
    unit: 'words',
    read: plainText,
  }),
});
