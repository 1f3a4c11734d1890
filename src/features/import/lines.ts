/** Splits a stream of bytes into lines without holding more than one of them. */
import { isUtf8 } from 'node:buffer';

/** The longest line: what a user can have is far less. */
export const MAX_LINE_BYTES = 65_536;

export interface Line {
  /** Counted from 1, empty ones too. */
  readonly number: number;
  /** Undefined for one that is too long, or no UTF-8. */
  readonly content: string | undefined;
  /** Bytes of the stream up to its end. */
  readonly end: number;
}

const NEWLINE = 0x0a;

function contentOf(parts: readonly Buffer[]): string | undefined {
  const bytes = Buffer.concat(parts);
  return isUtf8(bytes) ? bytes.toString('utf8').replace(/\r$/, '') : undefined;
}

/** Yields every line that is not empty. */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let size = 0;
  let number = 1;
  let end = 0;
  const take = (part: Buffer): void => {
    size += part.length;
    end += part.length;
    if (size <= MAX_LINE_BYTES) parts.push(part);
    else parts = [];
  };
  const finish = (): Line | undefined => {
    const content = size > MAX_LINE_BYTES ? undefined : contentOf(parts);
    const line = { number, content, end };
    const isEmpty = content !== undefined && content.trim() === '';
    parts = [];
    size = 0;
    number += 1;
    return isEmpty ? undefined : line;
  };
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      take(bytes.subarray(from, at));
      end += 1;
      from = at + 1;
      const line = finish();
      if (line !== undefined) yield line;
    }
    // A copy: the chunk's memory would be kept for a part of a line.
    take(Buffer.from(bytes.subarray(from)));
  }
  const last = size > 0 ? finish() : undefined;
  if (last !== undefined) yield last;
}
