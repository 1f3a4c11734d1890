/** The `[totp]` section: codes of an authenticator app (RFC 6238, D3). */
import { boolean, optionalText, plainText, section } from '../../lib/setting.ts';

export const totpSection = section('Codes of an authenticator app (TOTP).', {
  enabled: boolean({ sentence: 'Whether users may enrol an authenticator app.', default: true }),
  issuer: optionalText({
    sentence: 'The issuer that the app displays with the account.',
    absent: 'server.name',
    example: 'Example Shop',
    unit: 'a name without a colon',
    read: (text) =>
      /[:%]/.test(text) || text.length > 64
        ? {
            refusals: [
              {
                problem: 'has a colon or a percent sign, or is longer than 64 characters',
                remedy: 'Write a plain name.',
              },
            ],
          }
        : plainText(text),
  }),
  strict: boolean({
    sentence:
      'Whether only the code of the current 30 seconds is accepted; otherwise the one before and the one after are too, for phones whose clock is off.',
    default: false,
  }),
});
