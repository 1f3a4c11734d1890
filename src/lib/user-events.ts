/** The log's events about accounts and what operators do to them: a part of EVENTS. */
import type { LogLevel } from './log.ts';

export interface EventMeaning {
  readonly level: LogLevel | 'info or warn' | 'by status';
  readonly sentence: string;
}

export const USER_EVENTS: Readonly<Record<string, EventMeaning>> = {
  'user.registered': { level: 'info', sentence: 'An account was created.' },
  'user.updated': { level: 'info', sentence: 'An account was changed by its user.' },
  'user.deleted': {
    level: 'info',
    sentence: 'An account was deleted, by its user or by an operator; the message says by whom.',
  },
  'user.created': { level: 'info', sentence: 'An operator made an account.' },
  'user.changed': {
    level: 'info',
    sentence:
      'An operator changed an account. Acts of operators carry api_key.id, or operator for the command line.',
  },
  'user.disabled': {
    level: 'info',
    sentence: 'An operator disabled an account; all sessions were ended.',
  },
  'user.enabled': { level: 'info', sentence: 'An operator enabled an account.' },
  'user.unlocked': {
    level: 'info',
    sentence: 'An operator reset the failed attempts of an account.',
  },
  'user.signed_out': { level: 'info', sentence: 'An operator ended every session of a user.' },
  'user.migrated': {
    level: 'info',
    sentence:
      'The system at password.legacy_url confirmed a password: the account was created, or got it.',
  },
  'legacy.unavailable': {
    level: 'error',
    sentence:
      'password.legacy_url did not answer in two seconds, or not as agreed; the sign-in was refused with 503.',
  },
  'user.exported': {
    level: 'info',
    sentence: 'An operator exported one account, or all; reason says if with password hashes.',
  },
  'user.imported': {
    level: 'info',
    sentence: 'An operator imported users; count says how many accounts were created.',
  },
  'email.set': {
    level: 'info',
    sentence:
      'An operator set the email address of an account; reason says whether it is pending or vouched for.',
  },
  'password.expired': {
    level: 'info',
    sentence: 'An operator demanded a new password; all sessions were ended.',
  },
  'password.reset_started': {
    level: 'info',
    sentence:
      'An operator had a link made that sets a password; reason says whether it was emailed, printed, or an invitation.',
  },
  'factor.grace_renewed': {
    level: 'info',
    sentence: 'An operator gave a user more time to enrol a second factor.',
  },
  'factor.all_removed': {
    level: 'info',
    sentence: 'An operator removed every second factor of a user; all sessions were ended.',
  },
};
