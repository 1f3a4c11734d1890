/**
 * Counts events as they are logged, whatever the log level, so that no event needs a second call
 * for metrics. The names are those of lib/events.ts.
 */
import { SMS_TEMPLATES } from '../core/email/templates.ts';
import type { Log, LogFields } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';

const isSms = (letter: string): boolean => SMS_TEMPLATES.some((name) => name === letter);

export function countedLog(log: Log, metrics: Metrics): Log {
  const signIn =
    (outcome: 'succeeded' | 'challenged') =>
    ({ factor = 'unknown' }: LogFields) =>
      metrics.signIn(factor, outcome);
  const delivered =
    (outcome: 'sent' | 'delayed' | 'dead') =>
    ({ letter = '' }: LogFields) =>
      metrics.delivery(isSms(letter) ? 'sms' : 'email', outcome);
  const refused = ({ factor = 'unknown', ...fields }: LogFields): void =>
    metrics.signIn(factor, fields['error.type'] === 'too_many_attempts' ? 'throttled' : 'refused');
  const counted: ReadonlyMap<string, (fields: LogFields) => void> = new Map([
    ['sign_in.succeeded', signIn('succeeded')],
    ['sign_in.challenged', signIn('challenged')],
    ['sign_in.failed', refused],
    ['second_factor.failed', refused],
    ['letter.sent', delivered('sent')],
    ['letter.delayed', delivered('delayed')],
    ['letter.dead', delivered('dead')],
    ['sms.denied', ({ reason = 'unknown' }) => metrics.smsDenied(reason)],
  ]);
  return {
    ...log,
    write: (level, event, message, fields = {}) => {
      counted.get(event)?.(fields);
      log.write(level, event, message, fields);
    },
  };
}
