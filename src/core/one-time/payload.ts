/** What is sealed beside a one-time code or link, bound to its row. */
import type { JsonObject } from '../../lib/json.ts';
import { isJsonObject } from '../../lib/json.ts';
import type { Sealer } from '../../crypto/seal.ts';
import type { OneTime } from './one-time.ts';

/** The place that the payload of a row is sealed for. */
export const payloadPlace = (id: string): string => `one_time.payload_sealed:${id}`;

export function sealPayload(sealer: Sealer, id: string, payload: JsonObject): string {
  return sealer.seal(payloadPlace(id), Buffer.from(JSON.stringify(payload)));
}

/** @throws {Error} the row has none: a bug */
export function openPayload(
  sealer: Sealer,
  { id, payloadSealed }: Pick<OneTime, 'id' | 'payloadSealed'>,
): JsonObject {
  if (payloadSealed === null) throw new Error('a one-time row without its payload');
  const value: unknown = JSON.parse(sealer.open(payloadPlace(id), payloadSealed).toString('utf8'));
  if (!isJsonObject(value)) throw new Error('the payload of a one-time row is no object');
  return value;
}
