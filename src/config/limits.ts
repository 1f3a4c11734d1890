/** The `[limits]` section: how many requests one client may make to costly and guessable routes. */
import { boolean, integer, rate, section } from '../lib/setting.ts';

export const limitsSection = section(
  'Limits per client (API key, session, else IPv4 address or IPv6 /64), in memory.',
  {
    login: rate({
      sentence: 'Sign-ins, second factors, and all other routes that compare a secret.',
      default: '30/1m',
    }),
    register: rate({ sentence: 'Registrations.', default: '10/1h' }),
    emails: rate({
      sentence:
        'Requests that send an email or a text message: password resets, codes, new addresses and numbers.',
      default: '20/1h',
    }),
    refresh: rate({ sentence: 'Refreshes of one session.', default: '120/1m' }),
    token: rate({ sentence: 'Requests of services.', default: '600/1m' }),
    check: rate({ sentence: 'Password checks and checks of a reset link.', default: '60/1m' }),
    reset: rate({
      sentence: 'Password resets that one API key starts for users.',
      default: '60/1h',
    }),
    entries: integer({
      sentence: 'Number of clients that are remembered, about 150 bytes each.',
      default: 100_000,
      min: 1_000,
      max: 10_000_000,
    }),
    fields: boolean({
      sentence:
        'Whether answers of limited routes carry the RateLimit and RateLimit-Policy fields (draft-ietf-httpapi-ratelimit-headers).',
      default: false,
    }),
  },
);
