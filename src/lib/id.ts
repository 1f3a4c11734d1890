/**
 * UUIDv7 ids: sortable by creation, opaque to callers, never used as secrets (ASVS 11.5.1: a UUID
 * is not an unguessable value).
 *
 * @see https://www.rfc-editor.org/rfc/rfc9562#section-5.7
 */
import type { Clock } from './clock.ts';

/** A source of random bytes; production uses the operating system's CSPRNG. */
export interface Random {
  bytes(length: number): Buffer;
}

/**
 * Makes a generator of UUIDv7 texts. Its ids strictly increase, even within a millisecond and when
 * the clock jumps back (RFC 9562 §6.2, method 1: a 12-bit counter in rand_a that carries into the
 * timestamp).
 */
export function createIds(clock: Pick<Clock, 'now'>, random: Random): () => string {
  let lastMs = -1;
  let counter = 0;
  return () => {
    const now = clock.now();
    const bytes = random.bytes(10);
    if (now > lastMs) {
      lastMs = now;
      counter = bytes.readUInt16BE(8) & 0x7ff;
    } else if (++counter > 0xfff) {
      lastMs += 1;
      counter = 0;
    }
    bytes[0] = 0x80 | (bytes.readUInt8(0) & 0x3f);
    const time = lastMs.toString(16).padStart(12, '0');
    const tail = bytes.toString('hex', 0, 8);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  };
}

/** The beginning of every id that is made at a time or later: ids sort by it. */
export function firstIdAt(milliseconds: number): string {
  const time = Math.max(0, Math.floor(milliseconds)).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Whether a text is a UUID in lower-case canonical form, the only form accepted here. */
export function isId(text: string): boolean {
  return UUID.test(text);
}
