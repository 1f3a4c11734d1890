/**
 * The events of the log: stable names, `noun.verb`, and what each one says. docs/events.md is made
 * of it, and a test compares it with the code.
 */
import type { LogLevel } from './log.ts';

export interface EventMeaning {
  readonly level: LogLevel | 'info or warn' | 'by status';
  readonly sentence: string;
}

export const EVENTS: Readonly<Record<string, EventMeaning>> = {
  'server.started': {
    level: 'info',
    sentence: 'The service is ready: where it listens, its database, its key.',
  },
  'server.stopping': {
    level: 'info',
    sentence: 'A signal came: nothing new is accepted, what is in flight is answered.',
  },
  'server.stopped': { level: 'info', sentence: 'It has ended in order.' },
  'server.accept_failed': {
    level: 'error',
    sentence:
      'A connection could not be accepted (no descriptors or memory left); the listener goes on.',
  },
  'http.request': {
    level: 'by status',
    sentence:
      'One line for each request, at its end. 5xx are errors, 429 and 503 warnings; /healthz and /readyz debug.',
  },
  'http.unparsed': { level: 'info', sentence: 'Bytes came that are no HTTP request.' },
  'request.failed': {
    level: 'error',
    sentence: 'Something unexpected ended a request with 500; the exception is in the line.',
  },
  'problem.undeclared': {
    level: 'error',
    sentence:
      'A route refused with a code that it does not declare: a fault of the program, please report it.',
  },
  'user.registered': { level: 'info', sentence: 'An account was made.' },
  'user.updated': { level: 'info', sentence: 'An account was changed by its user.' },
  'user.deleted': { level: 'info', sentence: 'An account was deleted by its user.' },
  'registration.begun': {
    level: 'info',
    sentence: 'Somebody wants an account by an address that is to be proved.',
  },
  'sign_in.succeeded': {
    level: 'info',
    sentence: 'A session was started; amr says by which methods.',
  },
  'sign_in.challenged': {
    level: 'info',
    sentence: 'A first factor was right, and a second one is due.',
  },
  'sign_in.failed': {
    level: 'info or warn',
    sentence: 'A sign-in was refused; error.type says why. A reached limit is a warning.',
  },
  'second_factor.failed': {
    level: 'info or warn',
    sentence:
      'A second factor was wrong, spent, or is none of this user. A reached limit is a warning.',
  },
  'passkey.clone_suspected': {
    level: 'warn',
    sentence:
      'A passkey answered with a counter that was used before: there may be a copy of it. It was refused, and its user told.',
  },
  'session.reauthenticated': {
    level: 'info',
    sentence: 'A factor was shown again within a session.',
  },
  'session.ended': {
    level: 'info',
    sentence: 'One session or all of a user ended; reason says why.',
  },
  'refresh_token.reused': {
    level: 'warn',
    sentence:
      'A spent refresh token came back: it was stolen, or a client keeps old ones. Its session was ended.',
  },
  'factor.added': {
    level: 'info',
    sentence: 'A user has a further second factor; the other sessions were ended.',
  },
  'factor.removed': {
    level: 'info',
    sentence: 'A user took a second factor away; the other sessions were ended.',
  },
  'factor.renewed': {
    level: 'info',
    sentence: 'A user made new recovery codes; the other sessions were ended.',
  },
  'factor.switched_off': {
    level: 'warn',
    sentence:
      'At the start: users have enrolled a factor that the configuration switches off, and sign in without it.',
  },
  'password.changed': {
    level: 'info',
    sentence: 'A user changed the password; the other sessions were ended.',
  },
  'password.reset_requested': {
    level: 'info',
    sentence: 'A reset letter was asked for, for a known name or an unknown one.',
  },
  'password.reset': {
    level: 'info',
    sentence: 'A password was set by a reset link; every session was ended.',
  },
  'email.change_requested': {
    level: 'info',
    sentence: 'A user named a new address, which is to be proved.',
  },
  'email.verified': { level: 'info', sentence: 'An address was proved.' },
  'breached.unreachable': {
    level: 'warn',
    sentence: 'The range API did not answer in time, and a password was taken without it.',
  },
  'letter.sent': { level: 'info', sentence: 'A transport took a letter over.' },
  'letter.delayed': { level: 'warn', sentence: 'No transport took a letter; it is tried again.' },
  'letter.dead': {
    level: 'error',
    sentence: 'A letter was given up: postern outbox list and retry.',
  },
  'outbox.failed': {
    level: 'error',
    sentence: 'The outbox could not be read or written; it is tried again.',
  },
  'database.unreadable': {
    level: 'error',
    sentence: 'What other processes wrote could not be read; it is tried again.',
  },
  'housekeeping.failed': {
    level: 'error',
    sentence: 'Expired rows were not removed; it is tried again.',
  },
  'readiness.failed': {
    level: 'warn',
    sentence: '/readyz answered 503; reason is one of its reasons.',
  },
  'process.unhandled': { level: 'error', sentence: 'A promise was rejected and nobody looked.' },
  'process.uncaught': {
    level: 'error',
    sentence: 'An error that nobody caught; the process ends.',
  },
};
