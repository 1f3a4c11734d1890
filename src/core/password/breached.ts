/**
 * Passwords that were in a breach, two ways: a filter file of the operator's, asked in memory, and
 * the range API of Have I Been Pwned, which learns five hexadecimal digits of the hash and no more.
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

/** Requests to the API that may be under way at once; a flood of sign-ups asks for no more. */
const MAX_ASKING = 16;

/**
 * Asks the filter first, then the API. When the API is down the password is taken: sign-ups go on,
 * the filter and the list of common passwords still hold, and the log says so (ASVS 16.5.2).
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
        if (asking >= MAX_ASKING) throw new Error('as many requests as may be are under way');
        asking++;
        return await askRange(range, digest.toString('hex').toUpperCase()).finally(() => asking--);
      } catch (error) {
        log.write(
          'warn',
          'breached.unreachable',
          'the range API did not answer; the password was taken without it',
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
    // Padding hides from the wire how many hashes the answer has.
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
    if (size > MAX_ANSWER_BYTES) throw new Error('the range API answered without end');
    text += decoder.decode(chunk, { stream: true });
  }
  return text.split('\n').some((line) => {
    const [candidate = '', times = '0'] = line.trim().split(':');
    // Padding has a count of 0.
    return candidate.toUpperCase() === suffix && Number(times) > 0;
  });
}
