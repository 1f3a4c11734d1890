/** `postern sms test`: whether sending text messages works. */
import { smsWords } from '../app/sms-policy.ts';
import type { Config } from '../config/schema.ts';
import { phoneNumbers } from '../core/sms/number.ts';
import type { PhoneNumber } from '../core/sms/number.ts';
import { smsText } from '../lib/sms-text.ts';
import { DeliveryError } from '../delivery/transport.ts';
import { Refusal } from '../refusal.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { smsTransports } from './sms-ways.ts';
import type { Verb } from './verb.ts';

/** @throws {CliRefusal} not a mobile number of a served country */
async function recipientOf({ sms }: Config, to: string): Promise<PhoneNumber> {
  if (sms.countries.length === 0)
    throw new CliRefusal(
      EXIT.config,
      'sms.countries is empty, so that no message would be sent. Write the countries of your users, such as ["DE"].',
    );
  const demandPhone = await phoneNumbers(sms.countries);
  try {
    return demandPhone(to);
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    const detail = cause.options.errors?.[0]?.detail ?? cause.message;
    throw new CliRefusal(EXIT.usage, `--to: ${detail}`, { cause });
  }
}

export const smsTest: Verb = {
  name: 'sms test',
  summary:
    'Sends a text message by each configured transport and reports each result; no limit counts it.',
  examples: [
    'postern sms test --to +4915123456789',
    'postern sms test --to +4915123456789 --config /etc/postern/config.toml',
  ],
  options: [{ flags: '--to <number>', sentence: 'the recipient, with + and its country' }],
  run: async (call) => {
    const { config } = loadConfig(call);
    const { e164: to, country } = await recipientOf(config, call.text('to') ?? '');
    const { clock } = call.context;
    const values = { code: '000000', code_minutes: '10' };
    const text = smsText({ service: config.server.name, ...smsWords(config) }, values);
    const id = `test-${clock.now()}`;
    const sms = { id, template: 'sms_phone_code', to, country, text, values } as const;
    let failed = 0;
    for (const transport of smsTransports(config, clock)) {
      try {
        await transport.send(sms);
        call.output.answer(`ok    ${transport.name}`);
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error;
        failed++;
        call.output.answer(`fail  ${transport.name}  ${error.message}`);
      } finally {
        transport.close();
      }
    }
    return failed === 0 ? EXIT.done : EXIT.failed;
  },
};
