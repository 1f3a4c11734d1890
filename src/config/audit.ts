/** The settings of the audit log. */
import { duration, section } from '../lib/setting.ts';

export const auditSection = section('The audit log.', {
  retention: duration({
    sentence: 'How long events are kept.',
    default: '400d',
    min: '1d',
    max: '3650d',
  }),
});
