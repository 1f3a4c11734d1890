/**
 * The `[password]` section: minimum length of passwords, and the cost of their hashes (NIST SP
 * 800-63B-4 §3.1.1, ASVS 11.4.2).
 */
import { readPageUrl } from '../../lib/page-url.ts';
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
import type { Reading } from '../../lib/setting.ts';

const MIN_PEPPER_BYTES = 16;

/** A day of the calendar; `2027-02-30` is none. */
function readDay(day: string): Reading<string> {
  const time = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(day) : Number.NaN;
  const isDay = !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
  return isDay ? { value: day } : { refusals: [{ remedy: 'Write a day such as "2027-03-31".' }] };
}

/** When a day is over, wall-clock milliseconds. */
export function endOfDay(day: string): number {
  return Date.parse(day) + 86_400_000;
}

export const passwordSection = section('Passwords and their hashes (argon2id).', {
  min_length: integer({
    sentence:
      'Minimum length of a new password in code points; below 15 it should not be the only factor.',
    default: 15,
    min: 8,
    max: 64,
    unit: 'code points',
  }),
  memory: size({
    sentence:
      'Memory per hash. The minimum depends on passes: 46MiB for 1, 19MiB for 2, 12MiB for more.',
    default: '19MiB',
    min: '12MiB',
    max: '1GiB',
  }),
  passes: integer({
    sentence: 'Passes over the memory per hash.',
    default: 2,
    min: 1,
    max: 100,
  }),
  lanes: integer({
    sentence: "Argon2's degree of parallelism per hash.",
    default: 1,
    min: 1,
    max: 16,
  }),
  threads: integer({
    sentence: 'Number of hashing threads; 0 means one per core.',
    default: 0,
    min: 0,
    max: 256,
  }),
  queue_length: integer({
    sentence: 'Maximum number of hashes that wait for a thread; further requests get 503.',
    default: 128,
    min: 1,
    max: 100_000,
  }),
  deadline: duration({
    sentence: 'Maximum wait for a thread; after it the answer is 503.',
    default: '2s',
    min: '100ms',
    max: '10s',
  }),
  pepper: secret({
    sentence:
      'A secret that goes into every new hash and is kept apart from the database. It can be added at any time; if it is lost, no password verifies.',
    unit: `at least ${MIN_PEPPER_BYTES} bytes`,
    absent: 'no pepper',
    read: readSecretText(MIN_PEPPER_BYTES),
  }),
  previous_peppers: secretList({
    sentence: 'Former peppers: they still verify, and hashes are renewed at the next sign-in.',
    unit: 'former values of pepper',
    read: readSecretText(MIN_PEPPER_BYTES),
  }),
  legacy_url: optionalText({
    sentence:
      'A program of the system that had your users before: asked at sign-in for a name without a password here, which it gets with the password that was typed. A match creates the account.',
    absent: 'none',
    example: 'https://old.example.com/check-password',
    unit: 'an https URL',
    read: readPageUrl,
  }),
  legacy_secret: secret({
    sentence: 'Signs each question to legacy_url, so that it answers nobody else.',
    unit: `at least ${MIN_PEPPER_BYTES} bytes`,
    absent: 'none',
    read: readSecretText(MIN_PEPPER_BYTES),
  }),
  legacy_until: optionalText({
    sentence: 'The last day (UTC) on which legacy_url is asked; without it, it is not accepted.',
    absent: 'none',
    example: '2027-03-31',
    unit: 'a date',
    read: readDay,
  }),
  history: integer({
    sentence:
      "How many former passwords can't be reused; above 0, the current one can't be either.",
    default: 0,
    min: 0,
    max: 24,
  }),
  max_age: duration({
    sentence:
      'Age after which a password must be changed at sign-in; 0s means never, as NIST recommends.',
    default: '0s',
    min: '0s',
    max: '3650d',
  }),
  breached_file: optionalText({
    sentence:
      'A filter of breached passwords, held in memory; created by "postern breached build".',
    absent: 'none',
    example: '/var/lib/postern/breached.filter',
    unit: 'a file',
    read: plainText,
  }),
  breached_range: boolean({
    sentence:
      "Whether to ask Have I Been Pwned's range API, which learns five hexadecimal digits of the hash; if it does not answer, the password is accepted.",
    default: false,
  }),
  breached_range_url: text({
    sentence: 'The URL of that API.',
    default: 'https://api.pwnedpasswords.com',
    unit: 'a URL',
  }),
  breached_timeout: duration({
    sentence: 'Maximum wait for that API.',
    default: '2s',
    min: '100ms',
    max: '10s',
  }),
  context_words: list({
    sentence: 'Words that are easy to guess in this context, such as product and company names.',
    default: [],
    unit: 'words',
    read: plainText,
  }),
});
