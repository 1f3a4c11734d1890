/** The `[events.streams.NAME]` sections: systems that are told what happens to accounts. */
import type * as z from 'zod';
import { readPageUrl } from '../../lib/page-url.ts';
import { readForeignSecret } from '../../lib/secret-text.ts';
import { list, optionalText, secret, section, text } from '../../lib/setting.ts';
import type { Reading } from '../../lib/setting.ts';

/** What streams may be told; event-types.ts says when. */
export const EVENT_NAMES = [
  'account-created',
  'account-credential-change-required',
  'account-disabled',
  'account-enabled',
  'account-purged',
  'account-updated',
  'credential-change',
  'email-changed',
  'email-verified',
  'recovery-activated',
  'session-established',
  'session-presented',
  'session-revoked',
] as const;

export type EventName = (typeof EVENT_NAMES)[number];

const eventName = (name: string): Reading<string> =>
  EVENT_NAMES.some((known) => known === name)
    ? { value: name }
    : { refusals: [{ remedy: `Write some of ${EVENT_NAMES.join(', ')}.`, entry: name }] };

const audience = (value: string): Reading<string> =>
  /^[\x21-\x7e]{1,255}$/.test(value)
    ? { value }
    : { refusals: [{ remedy: 'Write what the receiver calls itself, such as its URL.' }] };

const keyName = (name: string): Reading<string> =>
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)
    ? { value: name }
    : { refusals: [{ remedy: 'Write names of API keys.', entry: name }] };

export const streamSchema = section('A system that is told what happens to accounts (RFC 8417).', {
  audience: text({
    sentence: 'The aud of its tokens: what the receiver calls itself.',
    default: '',
    unit: 'a text without spaces, such as a URL; required',
    read: (value) => (value === '' ? { value } : audience(value)),
  }),
  url: optionalText({
    sentence: 'Where each event is posted (RFC 8935).',
    absent: 'events wait until they are fetched from /events/NAME/poll (RFC 8936)',
    example: 'https://billing.example.com/events',
    unit: 'an https URL',
    read: readPageUrl,
  }),
  bearer_token: secret({
    sentence: 'A token that is sent along, as Authorization: Bearer.',
    unit: 'as the receiver shows it',
    absent: 'none',
    read: readForeignSecret,
  }),
  events: list({
    sentence: 'Which events it is told.',
    default: [],
    unit: 'names such as "session-revoked"; all without any',
    read: eventName,
  }),
  api_keys: list({
    sentence: 'The names of the API keys that may fetch its events.',
    default: [],
    unit: 'names; all keys of the scope events without any',
    read: keyName,
  }),
});

export type StreamSettings = z.output<typeof streamSchema>;

/** What is wrong with a stream whose settings are valid one by one. */
export function streamFault(name: string, { audience: aud }: StreamSettings): string | undefined {
  if (aud !== '') return undefined;
  return `events.streams.${name} has no audience. Write audience = "https://…", as the receiver calls itself.`;
}
