/**
 * The user of an access token at a provider without ID tokens. The token came from the exchange of a
 * code for our own client, so that it is for nobody else (I06); it is not kept.
 */
import { allowInsecureRequests, customFetch, protectedResourceRequest } from 'oauth4webapi';
import type { CustomFetchOptions } from 'oauth4webapi';
import * as z from 'zod';
import { hmacHex } from '../../crypto/keyed-hash.ts';
import type { ProviderClaims } from './id-token.ts';
import { fetchWhole } from './outbound.ts';
import type { ProviderOptions } from './options.ts';

export interface Access {
  readonly accessToken: string;
  readonly clientSecret: string;
  readonly signal: AbortSignal;
}

const GithubUser = z.looseObject({ id: z.int().positive() });
const GithubEmails = z.array(
  z.object({ email: z.string(), primary: z.boolean(), verified: z.boolean() }),
);
const FacebookUser = z.looseObject({ id: z.string().regex(/^\d{1,32}$/) });

const fetchOne = (
  url: string,
  { method, headers, signal }: CustomFetchOptions<string, unknown>,
): Promise<Response> => fetchWhole(url, { method, headers, signal: signal ?? null });

async function get(url: string, { accessToken, signal }: Access): Promise<Response> {
  const headers = new Headers({ accept: 'application/json' });
  const request = { [customFetch]: fetchOne, [allowInsecureRequests]: true, signal };
  return protectedResourceRequest(accessToken, 'GET', new URL(url), headers, null, request);
}

async function parsed<S extends z.ZodType>(response: Response, schema: S): Promise<z.output<S>> {
  const { status } = response;
  const read = schema.safeParse(status === 200 ? await response.json().catch(() => null) : null);
  if (!read.success) throw new Error(`the provider answered ${status} without a user`);
  return read.data;
}

/**
 * The number of the account, which stays when its login is renamed and given to somebody else, and
 * the primary address if it is verified: that of the profile may be anything.
 *
 * @see https://docs.github.com/en/rest/users/emails
 */
async function githubUser(api: string, access: Access): Promise<Record<string, unknown>> {
  const [user, listed] = await Promise.all([
    get(`${api}/user`, access).then((response) => parsed(response, GithubUser)),
    get(`${api}/user/emails`, access),
  ]);
  // The user, or the app, does not show them.
  const isHidden = listed.status === 403 || listed.status === 404;
  const emails = isHidden ? [] : await parsed(listed, GithubEmails);
  const email = emails.find(({ primary, verified }) => primary && verified)?.email;
  return { ...user, sub: String(user.id), email, email_verified: email !== undefined };
}

/**
 * The id for our app, and an address that Facebook does not say to be verified. The proof shows that
 * the caller has the app's secret, so that a stolen token alone is worth nothing.
 *
 * @see https://developers.facebook.com/docs/graph-api/guides/secure-requests
 */
async function facebookUser(api: string, access: Access): Promise<Record<string, unknown>> {
  const proof = hmacHex(access.clientSecret, access.accessToken);
  const query = new URLSearchParams({ fields: 'id,name,email', appsecret_proof: proof });
  const user = await parsed(await get(`${api}/me?${query}`, access), FacebookUser);
  return { ...user, sub: user.id, email_verified: false };
}

/** @throws {Error} the provider does not answer as agreed */
export async function profileAt(
  { profile, issuer, apiUrl }: ProviderOptions,
  access: Access,
): Promise<ProviderClaims> {
  const user = await (profile === 'github' ? githubUser : facebookUser)(apiUrl, access);
  return { ...user, iss: issuer, sub: String(user['sub']) };
}
