/** A body of lines of JSON, read as it arrives and of any length: each line is bounded by its reader. */
import { Refusal } from '../refusal.ts';
import type { Arrival } from './arrival.ts';

const NDJSON_TYPE =
  /^application\/x-ndjson(?:[ \t]*;[ \t]*charset[ \t]*=[ \t]*(?:utf-8|"utf-8"))?[ \t]*$/i;

/** @throws {Refusal} unsupported_media_type */
export async function readNdjsonBody(arrival: Arrival): Promise<AsyncIterable<Uint8Array>> {
  const encoding = arrival.header('content-encoding');
  const isPlain = encoding === undefined || encoding.toLowerCase() === 'identity';
  if (!isPlain || !NDJSON_TYPE.test(arrival.header('content-type') ?? ''))
    throw new Refusal('unsupported_media_type', {
      detail: 'Send lines of JSON with Content-Type: application/x-ndjson.',
    });
  return arrival.content();
}
