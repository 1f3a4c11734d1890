/**
 * Archives of a few regular files in the ustar format, which `tar xf` reads: headers of 512 bytes,
 * contents padded to the same. Reads only archives that this program wrote.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
 */

export const TAR_BLOCK = 512;

/** Two empty blocks. */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK);

export interface TarEntry {
  readonly name: string;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Seconds. */
  readonly mtime: number;
}

/** Number of zero bytes that pad a content. */
export function tarPadding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

export function tarHeader({ name, size, mode, mtime }: TarEntry): Buffer {
  const header = Buffer.alloc(TAR_BLOCK);
  const octal = (value: number, digits: number): string =>
    `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(name, 0, 100, 'latin1');
  header.write(octal(mode, 7), 100, 'latin1');
  header.write(octal(0, 7), 108, 'latin1');
  header.write(octal(0, 7), 116, 'latin1');
  // Beyond 8 GiB a size no longer fits as octal: GNU's form, big-endian with the first bit set.
  if (size < 8 ** 11) header.write(octal(size, 11), 124, 'latin1');
  else {
    header.writeUInt8(0x80, 124);
    header.writeBigUInt64BE(BigInt(size), 128);
  }
  header.write(octal(mtime, 11), 136, 'latin1');
  header.fill(' ', 148, 156);
  header.write('0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  header.write(`${checksum(header).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return header;
}

/**
 * Undefined for an empty block (the end). @throws {TypeError} it is not a header of a regular file
 */
export function readTarHeader(header: Buffer): TarEntry | undefined {
  if (header.length !== TAR_BLOCK) throw new TypeError('the archive is truncated');
  if (header.every((byte) => byte === 0)) return undefined;
  const field = (from: number, length: number): string =>
    header
      .toString('latin1', from, from + length)
      .replace(/\0.*$/s, '')
      .trim();
  const number = (from: number, length: number): number => Number.parseInt(field(from, length), 8);
  const claimed = number(148, 8);
  if (claimed !== checksum(Buffer.from(header).fill(' ', 148, 156)))
    throw new TypeError('a header of the archive is damaged, or this is not an archive');
  if (field(156, 1) !== '0')
    throw new TypeError('the archive contains an entry that is not a file');
  const isLarge = (header[124] ?? 0) >= 0x80;
  return {
    name: field(0, 100),
    size: isLarge ? Number(header.readBigUInt64BE(128)) : number(124, 12),
    mode: number(100, 8),
    mtime: number(136, 12),
  };
}

function checksum(header: Buffer): number {
  return header.reduce((sum, byte) => sum + byte, 0);
}
