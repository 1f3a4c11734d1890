/**
 * The checks of every request before its route. Head: the target is a path, one Host, one framing.
 * Body (G3, T5): application/json in UTF-8, at most 64 KiB, valid UTF-8, at most eight levels deep,
 * no duplicate member; the framework's own readers accept text/plain, a BOM, invalid UTF-8 and any
 * size.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Refusal } from '../refusal.ts';
import { JsonError, parseJson } from '../lib/json.ts';
import { MAX_BODY_BYTES, countHeader } from './arrival.ts';
import type { Arrival } from './arrival.ts';
import { pathOf } from './paths.ts';

const MAX_JSON_DEPTH = 8;

const MAX_HEADER_LINES = 100;
const TARGET = /^(?:https?:\/\/[^/?#]*)?\/?[!$%&'()*+,\-./:;=?@A-Z[\]_a-z~0-9]*$/;
const HOST = /^(?:[A-Za-z0-9._~-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/;

/**
 * The path of a Node request; null when its head is refused: a target that is not a path, an
 * invalid Host, too many headers, or both Transfer-Encoding and Content-Length.
 */
export function readablePath(incoming: IncomingMessage): string | null {
  const { headers, rawHeaders, url = '' } = incoming;
  if (rawHeaders.length > 2 * MAX_HEADER_LINES) return null;
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && (headers['content-length'] !== undefined || coding !== 'chunked'))
    return null;
  // Node silently keeps the first of two Host lines; a proxy in front may have used the other one
  // (RFC 9112 §3.2).
  const { host } = headers;
  if (host === undefined || !HOST.test(host) || countHeader(rawHeaders, 'host') !== 1) return null;
  return TARGET.test(url) ? pathOf(url) : null;
}

const USUAL_TARGET = /^\/[!$&-;=?@A-Z[\]_a-z~]*$/;
const USUAL_HOST =
  /^(?:[a-z0-9._-]*[a-z]|\d{1,3}(?:\.\d{1,3}){3})(?::(?:[1-9]\d{3}|[1-5]\d{4}|6[0-4]\d{3}))?$/;

/**
 * `@hono/node-server` builds a URL of target and Host and rejects some valid ones. Routing uses
 * {@link readablePath} and nothing trusts Host, so an unusual Host is removed.
 */
export function simplifyUrl(incoming: IncomingMessage): void {
  if (!USUAL_TARGET.test(incoming.url ?? '')) incoming.url = '/';
  if (!USUAL_HOST.test(incoming.headers.host ?? '')) incoming.headers.host = 'localhost';
}

const JSON_TYPE =
  /^application\/json(?:[ \t]*;[ \t]*charset[ \t]*=[ \t]*(?:utf-8|"utf-8"))?[ \t]*$/i;

/**
 * Reads and parses the JSON body; `undefined` when the request has none.
 *
 * @throws {Refusal} unsupported_media_type, content_too_large, malformed_request
 */
export async function readJsonBody(arrival: Arrival): Promise<unknown> {
  if (!arrival.hasContent) return undefined;
  const encoding = arrival.header('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new Refusal('unsupported_media_type');
  const bytes = await readJsonBytes(arrival);
  return bytes === undefined ? undefined : parseBody(bytes);
}

/** The content, if its type is JSON; `undefined` when there is none. */
async function readJsonBytes(arrival: Arrival): Promise<Buffer | undefined> {
  const type = arrival.header('content-type');
  const length = arrival.header('content-length');
  // A client that streams may show only with its first chunk that the body is empty.
  if (type === undefined && length === undefined && (await arrival.readContent()).length === 0)
    return undefined;
  if (!JSON_TYPE.test(type ?? '')) throw new Refusal('unsupported_media_type');
  if (Number(length ?? 0) > MAX_BODY_BYTES) throw new Refusal('content_too_large');
  const bytes = await arrival.readContent();
  // A web Request may have an unannounced body that is empty.
  const isAnnounced = length !== undefined || arrival.header('transfer-encoding') !== undefined;
  return bytes.length === 0 && !isAnnounced ? undefined : bytes;
}

function parseBody(bytes: Buffer): unknown {
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
    throw error instanceof JsonError ? jsonRefusal(error) : error;
  }
}

function jsonRefusal(cause: JsonError): Refusal {
  const { code, pointer } = cause;
  if (code !== 'ill_formed')
    return new Refusal('malformed_request', { detail: JSON_DETAILS[code], cause });
  // JSON with text that can't be stored is well-formed but not acceptable, so the error has a
  // pointer.
  const detail = 'Use well-formed Unicode without NUL.';
  return new Refusal('invalid_request', {
    errors: [{ pointer, code: 'ill_formed_text', detail }],
    cause,
  });
}

const JSON_DETAILS: Record<Exclude<JsonError['code'], 'ill_formed'>, string> = {
  syntax: 'The body is not JSON (RFC 8259).',
  duplicate_member: 'The body has an object with two members of one name.',
  too_deep: `The body is nested more than ${MAX_JSON_DEPTH} levels deep.`,
  forbidden_member: 'The body has a member named __proto__.',
};
