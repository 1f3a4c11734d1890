/**
 * Passwords known from breaches, checked in two ways: a filter file of the operator, in memory, and
 * the range API of Have I Been Pwned, which receives only five hexadecimal digits of the hash.
 * SHA-1 is the format of these lists and protects nothing here.
 *
 * @see https://haveibeenpwned.com/API/v3#PwnedPasswords
 */
import { createHash } from 'node:crypto';
import type { Breached } from './passwords.ts';
import type { Log } from '../../lib/log.ts';
import { exceptionFields } from '../../lib/log.ts';
import type { Filter } from './fuse-filter.ts';

export interface BreachedOptions {
  readonly filter: Filter | null;
  readonly range: RangeOptions | null;
  readonly log: Log;
}

export interface RangeOptions {
  /** The API's base URL. */
  readonly url: string;
  readonly timeoutMs: number;
}

const MAX_ANSWER_BYTES = 1_048_576;

/**
 * Maximum number of concurrent requests to the API, so that a flood of sign-ups does not cause
 * more.
 */
const MAX_ASKING = 16;

/**
 * Checks the filter first, then the API. When the API is down the password is accepted, so that
 * sign-ups continue; the filter and the list of common passwords still apply, and the failure is
 * logged (ASVS 16.5.2).
 */
export function createBreached({ filter, range, log }: BreachedOptions): Breached {
  let asking = 0;
  return {
    has: async (password) => {
      if (filter === null && range === null) return false;
      const digest = createHash('sha1').update(password, 'utf8').digest();
      if (filter?.has(digest.readUInt32BE(0), digest.readUInt32BE(4)) === true) return true;
      if (range === null) return false;
      try {
        if (asking >= MAX_ASKING) throw new Error('too many requests to the API are in progress');
        asking++;
        return await askRange(range, digest.toString('hex').toUpperCase()).finally(() => asking--);
      } catch (error) {
        log.write(
          'warn',
          'breached.unreachable',
          'the range API did not answer; the password was accepted without it',
          exceptionFields(error),
        );
        return false;
      }
    },
  };
}

async function askRange({ url, timeoutMs }: RangeOptions, hash: string): Promise<boolean> {
  const response = await fetch(`${url.replace(/\/$/, '')}/range/${hash.slice(0, 5)}`, {
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
    // Padding hides the number of hashes in the answer from network observers.
    headers: { 'add-padding': 'true', 'user-agent': 'postern' },
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the range API answered ${response.status}`);
  }
  const suffix = hash.slice(5);
  let text = '';
  let size = 0;
  const decoder = new TextDecoder('latin1');
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Error('the answer of the range API is too long');
    text += decoder.decode(chunk, { stream: true });
  }
  return text.split('\n').some((line) => {
    const [candidate = '', times = '0'] = line.trim().split(':');
    // Padding entries have a count of 0.
    return candidate.toUpperCase() === suffix && Number(times) > 0;
  });
}
