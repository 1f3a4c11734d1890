/** What the converters share: reading an export, and writing lines for `postern import`. */
import { readFileSync } from 'node:fs';

/**
 * The export: the file of the first argument, or standard input.
 *
 * @returns {string}
 */
export function readExport() {
  const [, , path = '-'] = process.argv;
  return readFileSync(path === '-' ? 0 : path, 'utf8').replace(/^\ufeff/, '');
}

/**
 * The objects of a JSON array, or of lines of JSON (NDJSON).
 *
 * @param {string} text
 * @returns {any[]}
 */
export function recordsOf(text) {
  if (text.trimStart().startsWith('[')) return JSON.parse(text);
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line));
}

/**
 * Writes one user; what is undefined, null or empty is left out.
 *
 * @param {Record<string, unknown>} user
 */
export function writeLine(user) {
  const members = Object.entries(user).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  process.stdout.write(`${JSON.stringify(Object.fromEntries(members))}\n`);
}

/**
 * Tells what of a user does not come along.
 *
 * @param {string} id
 * @param {string} what
 */
export function leaveOut(id, what) {
  process.stderr.write(`${id}: ${what}\n`);
}

const USERNAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{0,63}$/u;

/**
 * A username, if it can be one here: an address is none.
 *
 * @param {string} id
 * @param {string | null | undefined} name
 * @returns {string | undefined}
 */
export function usernameOf(id, name) {
  if (name === null || name === undefined || name === '') return undefined;
  if (USERNAME.test(name)) return name;
  if (!name.includes('@')) leaveOut(id, 'its username has other letters than usernames here');
  return undefined;
}

/**
 * An address and whether it is verified, as a line has it.
 *
 * @param {string | null | undefined} email
 * @param {unknown} isVerified
 */
export function addressOf(email, isVerified) {
  if (email === null || email === undefined || email === '') return {};
  return isVerified === true || isVerified === 1 ? { email } : { pending_email: email };
}

/**
 * Base64 of a text's bytes, for salts that are texts.
 *
 * @param {string} text
 */
export const base64 = (text) => Buffer.from(text, 'utf8').toString('base64');

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/**
 * Base 32 of bytes, as apps take seeds.
 *
 * @param {Uint8Array} bytes
 */
export function base32(bytes) {
  let digits = '';
  for (const byte of bytes) digits += byte.toString(2).padStart(8, '0');
  return (digits.match(/.{1,5}/g) ?? [])
    .map((five) => BASE32.charAt(Number.parseInt(five.padEnd(5, '0'), 2)))
    .join('');
}

/**
 * RFC 3339 of what a database writes: `2024-08-21 14:19:22.694+00`, milliseconds, or a Date's text.
 *
 * @param {string | number | null | undefined} value
 * @returns {string | undefined}
 */
export function timeOf(value) {
  if (value === null || value === undefined || value === '') return undefined;
  const isBare = typeof value === 'string' && /^\d{4}-\d\d-\d\d[ T][\d:.]+$/.test(value);
  const text = isBare ? `${value.replace(' ', 'T')}Z` : value;
  const time = new Date(typeof text === 'string' ? text.replace(/([+-]\d\d)$/, '$1:00') : text);
  return Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}
