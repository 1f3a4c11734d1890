/**
 * Buffers log lines as bytes: the garbage collector would copy each line if they were kept as
 * strings until they are written.
 */
export interface LineBuffer {
  /** Adds text; flushes first if it does not fit. */
  add(text: string): void;
  /** Flushes the buffer. */
  pass(): void;
}

/** Maximum number of UTF-8 bytes of a UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

/**
 * Collects text as UTF-8 in one buffer.
 *
 * @param size maximum number of bytes in the buffer
 * @param write gets a copy of the bytes
 */
export function createLineBuffer(size: number, write: (bytes: Buffer) => void): LineBuffer {
  const buffer = Buffer.allocUnsafeSlow(size);
  let end = 0;
  const pass = (): void => {
    if (end === 0) return;
    write(Buffer.from(buffer.subarray(0, end)));
    end = 0;
  };
  return {
    pass,
    add: (text) => {
      const most = text.length * MAX_BYTES_PER_UNIT;
      if (end + most > size) pass();
      if (most > size) write(Buffer.from(text, 'utf8'));
      else end += buffer.write(text, end);
    },
  };
}
