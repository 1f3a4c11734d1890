/**
 * Telephone numbers: the E.164 form, and which of them get text messages. Only the largest data of
 * libphonenumber-js tells mobile numbers from those that cost their caller.
 *
 * @see https://gitlab.com/catamphetamine/libphonenumber-js
 */
import { invalidRequest } from '../../refusal.ts';
import { canonicalPhone } from '../user/sign-in-name.ts';

export interface PhoneNumber {
  /** E.164, such as `+4915112345678`. */
  readonly e164: string;
  /** ISO 3166-1 alpha-2, of the number itself, not of its calling code. */
  readonly country: string;
}

/** Reads a number that messages may be sent to. @throws {Refusal} invalid_request at /phone */
export type DemandPhone = (text: string) => PhoneNumber;

/**
 * The United States, Canada and some others don't tell mobile from fixed numbers. Everything else is
 * refused: premium rate, shared cost, UAN, pager, personal, toll-free, voicemail and VoIP numbers
 * (cheap to rent, and so no obstacle to fraud), fixed lines, and what the plans don't know.
 */
const ACCEPTED: ReadonlySet<string | undefined> = new Set(['MOBILE', 'FIXED_LINE_OR_MOBILE']);

const INVALID = {
  pointer: '/phone',
  code: 'invalid_phone',
  detail: 'Write a mobile number with + and its country calling code, such as +49 151 23456789.',
};
const NOT_SERVED = {
  pointer: '/phone',
  code: 'country_not_served',
  detail: 'This service sends no messages to that country.',
};
const NOT_MOBILE = {
  pointer: '/phone',
  code: 'not_mobile',
  detail: 'This is no mobile number. Write one that receives messages.',
};

/** Loads the data of all countries: 200 KB, for those who send messages. */
export async function phoneNumbers(countries: readonly string[]): Promise<DemandPhone> {
  const { parsePhoneNumberFromString } = await import('libphonenumber-js/max');
  const accepted: ReadonlySet<string | undefined> = new Set(countries);
  return (text) => {
    const plain = canonicalPhone(text);
    const number = plain === null ? undefined : parsePhoneNumberFromString(plain);
    if (number?.isValid() !== true || number.ext !== undefined) throw invalidRequest(INVALID);
    const { country } = number;
    if (country === undefined || !accepted.has(country)) throw invalidRequest(NOT_SERVED);
    if (!ACCEPTED.has(number.getType())) throw invalidRequest(NOT_MOBILE);
    return { e164: number.number, country };
  };
}

/** Names of countries that the data doesn't know. */
export async function unknownCountries(countries: readonly string[]): Promise<readonly string[]> {
  const { isSupportedCountry } = await import('libphonenumber-js/max');
  return countries.filter((country) => !isSupportedCountry(country));
}
