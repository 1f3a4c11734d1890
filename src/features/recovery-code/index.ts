/** Recovery codes, which stand in for a second factor that is lost. */
import { feature } from '../feature.ts';
import { recoveryCodeFactor, recoveryCodeRecords } from './factor.ts';
import { recoveryCodeRoutes } from './routes.ts';

export const recoveryCode = feature({
  name: 'recovery-code',
  settings: () => undefined,
  create: (kernel) => {
    // Listed after the factors that demand a second one: without any there is nothing to recover.
    const isNeeded = kernel.factors.active.some(({ demandsSecond }) => demandsSecond);
    if (!isNeeded) return { switchedOffFactor: recoveryCodeRecords(kernel) };
    return { factor: recoveryCodeFactor(kernel), routes: () => recoveryCodeRoutes(kernel) };
  },
});
