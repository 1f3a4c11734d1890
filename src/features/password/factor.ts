/** The password as a factor: what is known. It is a first factor; a second one has to be of another kind. */
import type { App } from '../../capabilities.ts';
import type { Factor } from '../../core/factor.ts';
import { findPassword } from './store.ts';

export function passwordFactor(app: App): Factor {
  return {
    name: 'password',
    kind: 'knowledge',
    second: false,
    enrolled: async (userId) => (await findPassword(app.db, userId)) !== null,
  };
}
