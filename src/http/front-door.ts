/**
 * What a body must be before anything looks at it (G3, T5): application/json in UTF-8, at most 64
 * KiB, valid UTF-8, at most eight levels deep, no member twice. It reads from Node's request
 * itself, for the frameworks' readers take text/plain, a BOM, invalid UTF-8 and any size.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Refusal } from '../refusal.ts';
import { JsonError, parseJson } from '../lib/json.ts';

export const MAX_BODY_BYTES = 65_536;
export const MAX_JSON_DEPTH = 8;

const JSON_TYPE =
  /^application\/json(?:[ \t]*;[ \t]*charset[ \t]*=[ \t]*(?:utf-8|"utf-8"))?[ \t]*$/i;

/** True when the request announces content. A length of nought is none. */
export function hasContent(request: IncomingMessage): boolean {
  const { headers } = request;
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  return length !== undefined && length !== '0';
}

/**
 * Reads and parses the JSON body; `undefined` when the request has none.
 *
 * @throws {Refusal} unsupported_media_type, content_too_large, malformed_request
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  if (!hasContent(request)) return undefined;
  const { headers } = request;
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new Refusal('unsupported_media_type');
  const type = headers['content-type'];
  // A client that streams may say only with its last chunk, the first, that there is nothing.
  if (
    type === undefined &&
    headers['content-length'] === undefined &&
    (await readBytes(request)).length === 0
  )
    return undefined;
  if (!JSON_TYPE.test(type ?? '')) throw new Refusal('unsupported_media_type');
  if (Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES)
    throw new Refusal('content_too_large');
  const bytes = await readBytes(request);
  if (!isUtf8(bytes))
    throw new Refusal('malformed_request', { detail: 'The body is not valid UTF-8.' });
  if (bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new Refusal('malformed_request', {
      detail: 'The body starts with a byte order mark (RFC 8259 §8.1). Leave it out.',
    });
  }
  try {
    return parseJson(bytes.toString('utf8'), { maxDepth: MAX_JSON_DEPTH });
  } catch (error) {
    // JSON that says what no text can hold is readable, but not acceptable: the fault has a place.
    if (error instanceof JsonError && error.code === 'ill_formed') {
      throw new Refusal('invalid_request', {
        errors: [
          {
            pointer: error.pointer,
            code: 'ill_formed_text',
            detail: 'Use well-formed Unicode without NUL.',
          },
        ],
        cause: error,
      });
    }
    if (error instanceof JsonError && error.code !== 'ill_formed')
      throw new Refusal('malformed_request', { detail: JSON_DETAILS[error.code], cause: error });
    throw error;
  }
}

const JSON_DETAILS: Record<Exclude<JsonError['code'], 'ill_formed'>, string> = {
  syntax: 'The body is not JSON (RFC 8259).',
  duplicate_member: 'The body has an object with two members of one name.',
  too_deep: `The body is nested more than ${MAX_JSON_DEPTH} levels deep.`,
  forbidden_member: 'The body has a member named __proto__.',
};

function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BODY_BYTES) {
        request.removeAllListeners('data');
        request.resume();
        reject(new Refusal('content_too_large'));
        return;
      }
      chunks.push(chunk);
    });
    request.on('end', () =>
      resolve(chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks, size)),
    );
    request.on('error', (cause) => reject(new Refusal('malformed_request', { cause })));
    request.on('close', () => {
      if (!request.complete)
        reject(new Refusal('malformed_request', { detail: 'The body was cut off.' }));
    });
  });
}
