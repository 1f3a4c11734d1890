/** SHA-256 of data that arrives in parts, for checksums. */
import { createHash } from 'node:crypto';

export interface Digest {
  update(bytes: Uint8Array): void;
  /** The digest in hexadecimal; ends the computation. */
  hex(): string;
}

export function createDigest(): Digest {
  const hash = createHash('sha256');
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest('hex') };
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
