/** Recovery codes, which replace a lost second factor. */
import { feature } from '../feature.ts';
import { recoveryCodeFactor, recoveryCodeRecords } from './factor.ts';
import { recoveryCodeRoutes } from './routes.ts';

export const recoveryCode = feature({
  name: 'recovery-code',
  settings: ({ cookies }) => cookies,
  create: (kernel, cookies) => {
    // Created after the factors that demand a second one: without those, codes are not needed.
    const isNeeded = kernel.factors.active.some(({ demandsSecond }) => demandsSecond);
    if (!isNeeded) return { switchedOffFactor: recoveryCodeRecords(kernel) };
    return {
      factor: recoveryCodeFactor(kernel),
      routes: () => recoveryCodeRoutes(kernel, cookies),
    };
  },
});
