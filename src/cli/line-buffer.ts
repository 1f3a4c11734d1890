/**
 * Lines on their way to the log, as bytes: kept as strings until they are written, the garbage
 * collector would copy each of them.
 */
export interface LineBuffer {
  /** Adds text; what does not fit any more is handed on first. */
  add(text: string): void;
  /** Hands on what is there. */
  pass(): void;
}

/** An UTF-16 unit takes at most so many bytes of UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

/**
 * Gathers text as UTF-8 in one buffer.
 *
 * @param size bytes that are gathered at most
 * @param write is given bytes of its own
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
