/** What each courier sends: a row of the outbox as an email, or as a text message. */
import type { ClaimedEmail } from '../core/email/claim.ts';
import { SMS_TEMPLATES, TEMPLATES } from '../core/email/templates.ts';
import { smsText } from '../lib/sms-text.ts';
import type { SmsText } from '../lib/sms-text.ts';
import { renderEmail } from './templates.ts';
import type { FindTemplate } from './templates.ts';
import type { OutgoingEmail, OutgoingSms } from './transport.ts';

/** The recipients in the message of a decoy, which is never sent. */
const NOBODY = 'nobody@localhost.invalid';
const NO_NUMBER = '+10000000000';

/** The lanes keep the channels apart. @throws {Error} the template is of the other channel: a bug */
function templateOf<Name extends string>(names: readonly Name[], { template }: ClaimedEmail): Name {
  const known = names.find((name) => name === template);
  if (known === undefined) throw new Error(`${template} is in a lane of another channel`);
  return known;
}

export function emailChannel(service: string, findTemplate: FindTemplate) {
  return (row: ClaimedEmail): OutgoingEmail => {
    const { id, recipient, values } = row;
    const template = templateOf(TEMPLATES, row);
    const rendered = renderEmail(template, values, service, findTemplate);
    return { id, template, to: recipient === '' ? NOBODY : recipient, values, ...rendered };
  };
}

export function smsChannel(words: SmsText) {
  return (row: ClaimedEmail): OutgoingSms => {
    const { id, recipient, values, domain: country } = row;
    return {
      id,
      template: templateOf(SMS_TEMPLATES, row),
      to: recipient === '' ? NO_NUMBER : recipient,
      country,
      text: smsText(words, values),
      values,
    };
  };
}
