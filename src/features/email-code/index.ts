/** Signing in with a code that is sent by email; off by default (ASVS 6.3.6). */
import { feature } from '../feature.ts';
import { emailCodeMethod } from './present-again.ts';
import { emailCodeRoutes } from './routes.ts';
import type { EmailCodeSettings } from './settings.ts';

export const emailCode = feature({
  name: 'email-code',
  settings: ({ otp, 'otp.email': section, cookies, mail, server }): EmailCodeSettings | null =>
    section.enabled
      ? {
          form: { length: otp.length, alphabet: otp.alphabet },
          ttlMs: otp.ttl,
          autoRegister: otp.auto_register,
          linkPage: otp.link ? (mail.sign_in_url ?? `${server.public_url}/sign-in`) : null,
          cookies,
        }
      : null,
  create: (kernel, settings) =>
    settings === null
      ? {}
      : {
          signInMethod: emailCodeMethod(kernel, settings),
          routes: () => emailCodeRoutes(kernel, settings),
        },
});
