/** The `[registration]` section: who may make an account. */
import { boolean, section } from '../../lib/setting.ts';

export const registrationSection = section('New accounts.', {
  enabled: boolean({ sentence: 'Whether anybody may register; without it accounts are made by the operator.', default: true }),
});
