/** The answer of a token endpoint (RFC 6749 §5). */
import * as z from 'zod';
import { notAccepted } from './id-token.ts';

const Tokens = z.object({
  access_token: z.string().min(1).max(16_384),
  id_token: z.string().max(16_384).optional(),
});
const Refused = z.object({ error: z.string() });

/** Errors that the operator caused, not the user: RFC 6749 §5.2, and those of GitHub. */
const OF_THE_CLIENT: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'incorrect_client_credentials',
  'redirect_uri_mismatch',
]);
/** The rest could be anything, and is not logged. */
const isPlain = (error: string): boolean => /^[a-z_]{1,64}$/.test(error);

/**
 * The tokens.
 *
 * @throws {Refusal} invalid_credentials: the code is not accepted
 * @throws {Error} the provider is out of order, or the client is
 */
export async function tokensIn(
  response: Response,
): Promise<{ readonly accessToken: string; readonly idToken: string | undefined }> {
  const { status } = response;
  if (status >= 500 || status === 429) throw new Error(`the token endpoint answered ${status}`);
  const body: unknown = await response.json().catch(() => null);
  const refused = Refused.safeParse(body);
  // GitHub refuses with 200.
  if (refused.success) {
    const error = isPlain(refused.data.error) ? refused.data.error : 'an unknown error';
    if (OF_THE_CLIENT.has(error)) throw new Error(`the provider refused the client: ${error}`);
    throw notAccepted(new Error(`the provider refused the code: ${error}`));
  }
  const tokens = Tokens.safeParse(body);
  if (status !== 200 || !tokens.success)
    throw new Error(`the token endpoint answered ${status} without tokens`);
  return { accessToken: tokens.data.access_token, idToken: tokens.data.id_token };
}
