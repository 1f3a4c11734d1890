/** The telephone number of an account: set, verified by a code, removed. */
import { feature } from '../feature.ts';
import { phoneRoutes } from './routes.ts';
import type { PhoneSettings } from './settings.ts';

export const phone = feature({
  name: 'phone',
  settings: ({ otp }): PhoneSettings => ({
    form: { length: otp.length, alphabet: otp.alphabet },
    ttlMs: otp.ttl,
  }),
  create: (kernel, settings) => {
    const { sms } = kernel;
    return sms === null ? {} : { routes: () => phoneRoutes(kernel, sms, settings) };
  },
});
