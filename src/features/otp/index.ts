/** Signing in with a code, sent by email or as a text message; off by default (ASVS 6.3.6). */
import { feature } from '../feature.ts';
import { emailCodeMethod, smsCodeMethod } from './present-again.ts';
import { otpRoutes } from './routes.ts';
import type { OtpSettings } from './settings.ts';

interface Settings extends OtpSettings {
  readonly byEmail: boolean;
  readonly bySms: boolean;
}

export const otp = feature({
  name: 'otp',
  settings: (config): Settings => {
    const { otp: section, cookies, mail, server } = config;
    return {
      byEmail: config['otp.email'].enabled,
      bySms: config['otp.sms'].enabled,
      form: { length: section.length, alphabet: section.alphabet },
      ttlMs: section.ttl,
      autoRegister: section.auto_register,
      linkPage: section.link ? (mail.sign_in_url ?? `${server.public_url}/sign-in`) : null,
      cookies,
    };
  },
  create: (kernel, { byEmail, bySms, ...settings }) => {
    const channels = { email: byEmail, sms: bySms ? kernel.sms : null };
    if (!channels.email && channels.sms === null) return {};
    return {
      signInMethod: [
        ...(channels.email ? [emailCodeMethod(kernel, settings)] : []),
        ...(channels.sms === null ? [] : [smsCodeMethod(kernel, settings, channels.sms)]),
      ],
      routes: () => otpRoutes(kernel, channels, settings),
    };
  },
});
