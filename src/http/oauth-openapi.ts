/** The OpenAPI description of refusals at OAuth endpoints. */
import * as z from 'zod';
import { REFUSALS } from '../refusal.ts';
import type { RefusalCode } from '../refusal.ts';
import { oauthErrorOf } from './oauth-error.ts';

const OauthError = z
  .object({
    error: z.string().meta({ description: 'A code of RFC 6749 section 5.2 and its extensions.' }),
    error_description: z.string(),
    request_id: z.string(),
  })
  .meta({ id: 'OAuthError' });

/** Errors by status; each names its codes. */
export function oauthErrorResponses(
  codes: readonly RefusalCode[],
  schema: (type: z.ZodType, io: 'input' | 'output') => unknown,
): Record<string, unknown> {
  const byStatus = new Map<number, Map<string, string>>();
  for (const code of codes) {
    const { status, error } = oauthErrorOf(code);
    const ofStatus = byStatus.get(status) ?? new Map<string, string>();
    byStatus.set(status, ofStatus.set(error, ofStatus.get(error) ?? REFUSALS[code]));
  }
  const retry = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } };
  const challenge = { 'WWW-Authenticate': { schema: { type: 'string' } } };
  const headers = (status: number): object => {
    if (status === 429 || status === 503) return { headers: retry };
    return status === 401 ? { headers: challenge } : {};
  };
  return Object.fromEntries(
    [...byStatus]
      .sort(([a], [b]) => a - b)
      .map(([status, errors]) => [
        status,
        {
          description: [...errors].map(([error, text]) => `\`${error}\`: ${text}`).join(' '),
          ...headers(status),
          content: { 'application/json': { schema: schema(OauthError, 'output') } },
        },
      ]),
  );
}
