/**
 * Counts events as they are logged, whatever the log level, so that no event needs a second call
 * for metrics. The names are those of lib/events.ts.
 */
import type { Log, LogFields } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';

export function countedLog(log: Log, metrics: Metrics): Log {
  const signIn =
    (outcome: 'succeeded' | 'challenged') =>
    ({ factor = 'unknown' }: LogFields) =>
      metrics.signIn(factor, outcome);
  const refused = ({ factor = 'unknown', ...fields }: LogFields): void =>
    metrics.signIn(factor, fields['error.type'] === 'too_many_attempts' ? 'throttled' : 'refused');
  const counted: ReadonlyMap<string, (fields: LogFields) => void> = new Map([
    ['sign_in.succeeded', signIn('succeeded')],
    ['sign_in.challenged', signIn('challenged')],
    ['sign_in.failed', refused],
    ['second_factor.failed', refused],
    ['letter.sent', () => metrics.delivery('sent')],
    ['letter.delayed', () => metrics.delivery('delayed')],
    ['letter.dead', () => metrics.delivery('dead')],
  ]);
  return {
    ...log,
    write: (level, event, message, fields = {}) => {
      counted.get(event)?.(fields);
      log.write(level, event, message, fields);
    },
  };
}
