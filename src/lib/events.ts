/**
 * The log's events: stable names (`noun.verb`) and what each one means. docs/events.md is generated
 * from this list, and a test compares it with the code.
 */
import { USER_EVENTS } from './user-events.ts';
import type { EventMeaning } from './user-events.ts';

export const EVENTS: Readonly<Record<string, EventMeaning>> = {
  'server.started': {
    level: 'info',
    sentence: 'The service is ready: where it listens, its database, its key.',
  },
  'config.reloaded': {
    level: 'info',
    sentence:
      'SIGHUP: the configuration was reloaded and applies now; count says how many settings changed.',
  },
  'config.refused': {
    level: 'error',
    sentence:
      'SIGHUP: the new configuration is invalid or can not be applied; the service continues with the old one.',
  },
  'config.restart_needed': {
    level: 'warn',
    sentence: 'Settings have changed that take effect only at the next start.',
  },
  'server.stopping': {
    level: 'info',
    sentence: 'A signal was received: no new requests are accepted, running ones are finished.',
  },
  'server.stopped': { level: 'info', sentence: 'The service has shut down.' },
  'server.accept_failed': {
    level: 'error',
    sentence:
      'A connection could not be accepted (no descriptors or memory left); the listener continues.',
  },
  'http.request': {
    level: 'by status',
    sentence:
      'One line for each request, at its end. 5xx are errors, 429 and 503 warnings; /healthz and /readyz debug.',
  },
  'proxy.untrusted': {
    level: 'warn',
    sentence:
      'X-Forwarded-For came from a peer (client.address) that is not in server.trusted_proxies, and was ignored; at most one line a minute.',
  },
  'cors.refused': {
    level: 'warn',
    sentence:
      'A page of an origin that is not in server.cors_origins called, and its browser blocked the answer; the message is the line to add. Once for each origin, for at most 32 of them.',
  },
  'http.unparsed': {
    level: 'info',
    sentence: 'A connection sent something that is not an HTTP request.',
  },
  'request.failed': {
    level: 'error',
    sentence: 'A request failed with 500; the line carries the exception.',
  },
  'problem.undeclared': {
    level: 'error',
    sentence: 'A route returned a problem code that it does not declare: a bug, please report it.',
  },
  ...USER_EVENTS,
  'registration.begun': {
    level: 'info',
    sentence: 'A registration by email address was started; the address is not verified yet.',
  },
  'sign_in.succeeded': {
    level: 'info',
    sentence: 'A session was started; amr lists the methods.',
  },
  'sign_in.challenged': {
    level: 'info',
    sentence: 'The first factor was correct; a second one is required.',
  },
  'sign_in.failed': {
    level: 'info or warn',
    sentence: 'A sign-in was refused; error.type says why. A reached limit is a warning.',
  },
  'second_factor.failed': {
    level: 'info or warn',
    sentence:
      "A second factor was wrong, already used, or not this user's. A reached limit is a warning.",
  },
  'passkey.clone_suspected': {
    level: 'warn',
    sentence:
      'A passkey repeated an earlier signature counter, so it may have been cloned. It was refused, and its user was notified.',
  },
  'passkey.origin_refused': {
    level: 'warn',
    sentence:
      'A passkey was used on a page of an origin that is not in passkeys.origins, and was refused; origin names it, and the message says what to add.',
  },
  'session.reauthenticated': {
    level: 'info',
    sentence: 'A factor was presented again within a session.',
  },
  'session.ended': {
    level: 'info',
    sentence: 'One session, or all sessions of a user, ended; reason says why.',
  },
  'session.rolled_back': {
    level: 'info',
    sentence:
      'A refresh token was newer than its session, as after a restore from a backup, which is no sign of theft. Its session was ended.',
  },
  'refresh_token.reused': {
    level: 'warn',
    sentence:
      'A used refresh token was presented again: it was stolen, or a client keeps old ones. Its session was ended.',
  },
  'refresh_token.grace': {
    level: 'info',
    sentence:
      'A refresh token that was just used came again from the same client and got its successor once more (two tabs, a lost answer).',
  },
  'factor.added': {
    level: 'info',
    sentence: 'A user added a second factor; the other sessions were ended.',
  },
  'factor.removed': {
    level: 'info',
    sentence: 'A user removed a second factor; the other sessions were ended.',
  },
  'factor.renewed': {
    level: 'info',
    sentence: 'A user generated new recovery codes; the other sessions were ended.',
  },
  'factor.unreadable': {
    level: 'error',
    sentence:
      'A stored secret of a factor could not be opened (a damaged row, or a key that is gone); it was refused like a wrong code.',
  },
  'factor.switched_off': {
    level: 'warn',
    sentence:
      'At the start: users have enrolled a factor that the configuration disables; they sign in without it.',
  },
  'incident.handled': {
    level: 'info',
    sentence:
      'An operator ended the sessions and keys of an incident (postern incident); in the audit log alone.',
  },
  'audit.sealed': {
    level: 'info',
    sentence:
      'The audit log was sealed: count is how many rows it has, note the signed checkpoint; keep some of them elsewhere.',
  },
  'audit.unsealed': {
    level: 'error',
    sentence: 'The audit log could not be sealed or pruned; it will be tried again.',
  },
  'audit.summarised': {
    level: 'info',
    sentence:
      'How many refusals of a kind the audit log counted instead of recording, in an hour; in the audit log alone.',
  },
  'audit.lost': {
    level: 'error',
    sentence:
      'Refusals could not be recorded in the audit log, because the database takes no writes; count says how many.',
  },
  'token.exchanged': {
    level: 'debug',
    sentence: 'A service exchanged a user\u2019s token for a narrower one.',
  },
  'api_key.created': {
    level: 'info',
    sentence: 'An API key was created; api_key.subject is its id.',
  },
  'api_key.revoked': {
    level: 'info',
    sentence: 'An API key was revoked; api_key.subject is its id.',
  },
  'signing_key.rotated': {
    level: 'info',
    sentence:
      'An operator or a key of the scope admin made a signing key; reason is withdrawn if the older ones stopped verifying.',
  },
  'api_key.refused': {
    level: 'info or warn',
    sentence:
      'A wrong, expired or revoked API key was presented; reason says which. After 20 a minute from one network a warning, then none.',
  },
  'api_key.scope_missing': {
    level: 'warn',
    sentence: 'A good API key was used for what it may not do; reason is the scope that it lacks.',
  },
  'api_key.use_unrecorded': {
    level: 'warn',
    sentence: 'The last use of an API key could not be written; the request was processed.',
  },
  'password.changed': {
    level: 'info',
    sentence: 'A user changed the password; the other sessions were ended.',
  },
  'sign_in.code_requested': {
    level: 'info',
    sentence: 'A sign-in code was requested, for a known or an unknown address.',
  },
  'password.reset_requested': {
    level: 'info',
    sentence: 'A password reset was requested, for a known or an unknown name.',
  },
  'password.reset': {
    level: 'info',
    sentence: 'A password was set by a reset link; all sessions were ended.',
  },
  'password.unusable_hash': {
    level: 'error',
    sentence:
      'A stored password hash can not be compared (its pepper is not configured, its cost is too high, or it is damaged); reason says which. At most one line a minute for each reason.',
  },
  'email.change_requested': {
    level: 'info',
    sentence: 'A user requested a new email address; it is not verified yet.',
  },
  'email.verified': { level: 'info', sentence: 'An email address was verified.' },
  'provider.unavailable': {
    level: 'warn',
    sentence:
      'An outside provider could not be asked for its keys, its metadata or a user, or refused our client; reason is its name. Known keys are used for a day.',
  },
  'breached.unreachable': {
    level: 'warn',
    sentence: 'The range API did not answer in time; a password was accepted without it.',
  },
  'letter.sent': { level: 'info', sentence: 'A transport accepted an email or a text message.' },
  'letter.dropped': {
    level: 'info',
    sentence:
      'An email was requested for a name without an account, or past the limits of its address; it was composed like others but not sent.',
  },
  'letter.cancelled': {
    level: 'info',
    sentence: 'An operator took an email back before it went out.',
  },
  'letter.delayed': {
    level: 'warn',
    sentence: 'No transport accepted an email; it will be tried again.',
  },
  'letter.dead': {
    level: 'error',
    sentence: 'An email was given up; see postern outbox list and postern outbox retry.',
  },
  'sms.denied': {
    level: 'info or warn',
    sentence:
      'A text message was not sent because of a limit, and the request was answered like any other; reason is the rule, country that of the number. Limits of networks, countries and all are warnings.',
  },
  'phone.change_requested': {
    level: 'info',
    sentence: 'A user requested a telephone number; it is not verified yet.',
  },
  'outbox.failed': {
    level: 'error',
    sentence: 'The outbox could not be read or written; it will be tried again.',
  },
  'database.write_lost': {
    level: 'error',
    sentence:
      'The database takes no writes: the disk is full, read-only or failing, or another process holds the lock. Requests that write get 503.',
  },
  'database.write_back': { level: 'info', sentence: 'The database takes writes again.' },
  'database.unreadable': {
    level: 'error',
    sentence: 'Changes by other processes could not be read; it will be tried again.',
  },
  'housekeeping.failed': {
    level: 'error',
    sentence: 'Expired rows could not be removed; it will be tried again.',
  },
  'metrics.failed': {
    level: 'error',
    sentence: 'Some metrics could not be read; they stay as they were.',
  },
  'readiness.failed': {
    level: 'warn',
    sentence: '/readyz answered 503; reason is one of its reasons.',
  },
  'process.unhandled': { level: 'error', sentence: 'A promise rejection was not handled.' },
  'process.uncaught': {
    level: 'error',
    sentence: 'An exception was not caught; the process ends.',
  },
};
