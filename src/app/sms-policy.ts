/** Text messages as the configuration has them: limits, words, countries. */
import { ConfigRefused } from '../config/fault.ts';
import type { Config } from '../config/schema.ts';
import type { EmailDeps } from '../core/email/emails.ts';
import { phoneNumbers, unknownCountries } from '../core/sms/number.ts';
import { createSms } from '../core/sms/sms.ts';
import type { Sms } from '../core/sms/sms.ts';
import type { SmsText } from '../lib/sms-text.ts';

/** Null where no country is served. @throws {ConfigRefused} a country without telephone numbers */
export async function smsOf({ sms }: Pick<Config, 'sms'>, deps: EmailDeps): Promise<Sms | null> {
  const { countries } = sms;
  if (countries.length === 0) return null;
  const unknown = await unknownCountries(countries);
  if (unknown.length > 0) {
    const message = `sms.countries has ${unknown.join(', ')}, which has no telephone numbers of its own. Remove it.`;
    throw new ConfigRefused([{ source: { kind: 'default' }, message }]);
  }
  return createSms({
    ...deps,
    budget: deps.limits,
    demandPhone: await phoneNumbers(countries),
    limits: {
      intervalMs: sms.interval,
      maxPerNumber: sms.max_per_number,
      maxPerNetwork: sms.max_per_network,
      maxPerDay: sms.max_per_day,
      maxUnverified: sms.max_unverified,
    },
  });
}

export function smsWords({ sms, server }: Config): Omit<SmsText, 'service'> {
  return { text: sms.text, domain: sms.domain ?? new URL(server.public_url).hostname };
}
