/** Signing in with a code that is sent by email; off by default (ASVS 6.3.6). */
import { feature } from '../feature.ts';
import { emailCodeRoutes } from './routes.ts';

export const emailCode = feature({
  name: 'email-code',
  settings: ({ 'otp.email': section, cookies }) => ({ isEnabled: section.enabled, cookies }),
  create: (kernel, { isEnabled, cookies }) =>
    isEnabled ? { routes: () => emailCodeRoutes(kernel, cookies) } : {},
});
