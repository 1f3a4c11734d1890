/** Codes of an authenticator app as a second factor. */
import { feature } from '../feature.ts';
import type { TotpSettings } from './authenticators.ts';
import { totpFactor, totpRecords } from './factor.ts';
import { portableTotp } from './portable.ts';
import { totpRoutes } from './routes.ts';
import { enrolmentSweep, sealedSeeds } from './store.ts';

export const totp = feature({
  name: 'totp',
  settings: ({ totp: section, server }): TotpSettings => ({
    enabled: section.enabled,
    issuer: section.issuer ?? server.name,
    window: section.strict ? 0 : 1,
  }),
  secondFactor: { isUsable: ({ enabled }) => enabled, remedy: 'totp.enabled = true' },
  create: (kernel, settings) => {
    const rows = {
      sweeps: [{ sweep: enrolmentSweep, keptMs: 0 }],
      sealed: sealedSeeds,
      portable: portableTotp(kernel),
    };
    if (!settings.enabled) return { switchedOffFactor: totpRecords(kernel), ...rows };
    return {
      factor: totpFactor(kernel, settings),
      routes: () => totpRoutes(kernel, settings),
      ...rows,
    };
  },
});
