/**
 * Reads an API key from HTTP Basic (id as user name, secret as password, each form-urlencoded, RFC
 * 6749 §2.3.1) or from `Postern-Key: id:secret`. Exactly one of the two must be present, once.
 */
import { isUtf8 } from 'node:buffer';
import type { ApiKey } from '../core/api-key/api-key.ts';
import type { WantedScope } from '../core/api-key/api-keys.ts';
import type { PresentedApiKey } from '../core/api-key/secret.ts';
import type { Requester } from '../core/requester.ts';
import { formDecode } from './form.ts';

const BASIC = /^basic ([A-Za-z0-9+/]+={0,2})$/i;

/** Far longer than any API key of this service. */
const MAX_LENGTH = 1_024;

interface Headers {
  header(name: string): string | null;
  headerLines(name: string): number;
}

/** The API key of the request. @throws {Refusal} of API_KEY_PROBLEMS */
export type AuthenticateApiKey = (
  requester: Requester,
  presented: PresentedApiKey | null,
  wanted: WantedScope,
) => Promise<ApiKey>;

/** The presented credentials; null if there are none, several, or they can't be parsed. */
export function presentedApiKey(call: Headers): PresentedApiKey | null {
  const authorization = call.header('authorization');
  const own = call.header('postern-key');
  if (authorization !== null && own !== null) return null;
  if (own !== null) return ownApiKey(call);
  if (authorization === null || call.headerLines('authorization') !== 1) return null;
  return basic(authorization);
}

/** The credentials in `Postern-Key`; `Authorization` may then carry a user's token. */
export function ownApiKey(call: Headers): PresentedApiKey | null {
  return call.headerLines('postern-key') === 1 ? split(call.header('postern-key') ?? '') : null;
}

function basic(authorization: string): PresentedApiKey | null {
  if (authorization.length > MAX_LENGTH) return null;
  const [, encoded] = BASIC.exec(authorization) ?? [];
  if (encoded === undefined) return null;
  const bytes = Buffer.from(encoded, 'base64');
  // Accept only the canonical base64 of these bytes, with or without padding.
  const canonical = bytes.toString('base64');
  if (encoded !== canonical && encoded !== canonical.replace(/=+$/, '')) return null;
  if (!isUtf8(bytes)) return null;
  const parts = split(bytes.toString('utf8'));
  if (parts === null) return null;
  const id = formDecode(parts.id);
  const secret = formDecode(parts.secret);
  return id === null || secret === null ? null : { id, secret };
}

function split(text: string): PresentedApiKey | null {
  const colon = text.indexOf(':');
  if (colon < 0 || text.length > MAX_LENGTH) return null;
  return { id: text.slice(0, colon), secret: text.slice(colon + 1) };
}
