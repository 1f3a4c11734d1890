/**
 * The `[sessions]` and `[cookies]` sections: how long a sign-in lasts (D2, N6), and whether
 * browsers may keep it in a cookie.
 */
import { readOrigin } from '../../lib/origin.ts';
import { boolean, duration, integer, list, section } from '../../lib/setting.ts';

export const sessionsSection = section('Lifetimes of sessions.', {
  refresh_ttl: duration({
    sentence: 'Absolute lifetime of a session.',
    default: '30d',
    min: '1m',
    max: '366d',
  }),
  idle_ttl: duration({
    sentence: 'A session ends if it is not refreshed for this long.',
    default: '7d',
    min: '1m',
    max: '366d',
  }),
  refresh_grace: duration({
    sentence:
      'For this long after a rotation, the used refresh token returns the same successor again (two tabs, a lost answer), for the same network and user agent, and the successor is not rotated; 0s disables this.',
    default: '10s',
    min: '0s',
    max: '60s',
  }),
  refresh_when_read_only: duration({
    sentence:
      'How long sessions may still be refreshed, without rotation, while the database takes no writes; 0s refuses.',
    default: '1h',
    min: '0s',
    max: '7d',
  }),
  fresh_for: duration({
    sentence:
      'For how long after authenticating a user may change the account without authenticating again.',
    default: '5m',
    min: '10s',
    max: '1h',
  }),
  max_per_user: integer({
    sentence: 'Maximum number of sessions per user; a further one ends the oldest.',
    default: 20,
    min: 1,
    max: 1000,
  }),
});

export const cookiesSection = section('The refresh token as a cookie, for browsers.', {
  enabled: boolean({
    sentence: "Whether a client may ask for the refresh token in a cookie that scripts can't read.",
    default: false,
  }),
  allowed_origins: list({
    sentence: 'Origins whose requests may use the cookie, spelled as in the Origin header.',
    default: [],
    unit: 'origins such as "https://app.example.com"',
    read: readOrigin,
  }),
});
