/**
 * The stored form of a password hash: `$argon2id$v=19$m=…,t=…,p=…[,keyid=…]$salt$hash` (PHC string
 * format); `keyid` names the pepper. Stored hashes can come from an import or an attacker, so they
 * are read strictly, and an absurd cost is refused before any work (P08).
 *
 * @see https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
 * @see https://www.rfc-editor.org/rfc/rfc9106#section-3.1
 */

/** The cost of a hash. */
export interface Argon2Cost {
  /** Memory in KiB (`m`). */
  memoryKiB: number;
  /** Passes over the memory (`t`). */
  passes: number;
  /** Degree of parallelism (`p`). */
  lanes: number;
}

export interface Phc extends Argon2Cost {
  /** The id of the pepper, or null. */
  keyId: string | null;
  salt: Uint8Array;
  hash: Uint8Array;
}

/** 1 GiB. */
const MAX_MEMORY_KIB = 1_048_576;
const MAX_PASSES = 100;
const MAX_LANES = 16;
/**
 * Memory × passes: a few seconds of one core. Without it, `m=1 GiB, t=100` would occupy a lane for
 * minutes.
 */
const MAX_WORK_KIB = 4 * MAX_MEMORY_KIB;

const NUMBER = '([1-9][0-9]{0,9})';
const BASE64 = '[A-Za-z0-9+/]';
const FORM = new RegExp(
  `^\\$argon2id\\$v=19\\$m=${NUMBER},t=${NUMBER},p=${NUMBER}(?:,keyid=(${BASE64}{1,11}))?\\$(${BASE64}{11,86})\\$(${BASE64}{22,86})$`,
);

/** Whether argon2 accepts a cost (RFC 9106 §3.1) and we are willing to pay it. */
export function isPayable(cost: Argon2Cost): boolean {
  const { memoryKiB, passes, lanes } = cost;
  const isWhole = [memoryKiB, passes, lanes].every((n) => Number.isSafeInteger(n) && n >= 1);
  if (!isWhole || lanes > MAX_LANES || memoryKiB < 8 * lanes) return false;
  return memoryKiB <= MAX_MEMORY_KIB && passes <= MAX_PASSES && memoryKiB * passes <= MAX_WORK_KIB;
}

/**
 * Reads a stored hash; `malformed` for another form, algorithm or version, `cost` for a refused
 * cost.
 */
export function parsePhc(text: string): Phc | 'malformed' | 'cost' {
  if (text.length > 300) return 'malformed';
  const [, m, t, p, keyId, saltText, hashText] = FORM.exec(text) ?? [];
  if (
    m === undefined ||
    t === undefined ||
    p === undefined ||
    saltText === undefined ||
    hashText === undefined
  )
    return 'malformed';
  const cost = { memoryKiB: Number(m), passes: Number(t), lanes: Number(p) };
  if (!isPayable(cost)) return 'cost';
  const salt = decode(saltText);
  const hash = decode(hashText);
  if (salt === undefined || hash === undefined) return 'malformed';
  return { keyId: keyId ?? null, salt, hash, ...cost };
}

/** Writes the stored form. */
export function formatPhc(phc: Phc): string {
  const keyId = phc.keyId === null ? '' : `,keyid=${phc.keyId}`;
  return `$argon2id$v=19$m=${phc.memoryKiB},t=${phc.passes},p=${phc.lanes}${keyId}$${encodePhc(phc.salt)}$${encodePhc(phc.hash)}`;
}

/** Base64 of the PHC format: standard alphabet, no padding. */
export function encodePhc(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}

function decode(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  // A copy: posting a view to a lane would send its whole underlying buffer.
  return encodePhc(bytes) === text ? new Uint8Array(bytes) : undefined;
}
