/** How the client authenticates at the token endpoint. */
import { importPKCS8, SignJWT } from 'jose';
import { ClientSecretBasic, ClientSecretPost } from 'oauth4webapi';
import type { ClientAuth } from 'oauth4webapi';
import type { Clock } from '../../lib/clock.ts';
import type { Metadata } from './metadata.ts';
import type { CodeOptions, ProviderOptions } from './options.ts';

const APPLE_TTL_SECONDS = 300;

/**
 * What Apple takes as client_secret: a JWT that the key signs.
 *
 * @see https://developer.apple.com/documentation/accountorganizationaldatasharing/creating-a-client-secret
 */
async function appleSecret(
  { issuer }: ProviderOptions,
  { clientId, teamId, keyId, privateKey }: CodeOptions,
  clock: Clock,
): Promise<string> {
  const seconds = Math.floor(clock.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: 'ES256', kid: keyId ?? '' })
    .setIssuer(teamId ?? '')
    .setIssuedAt(seconds)
    .setExpirationTime(seconds + APPLE_TTL_SECONDS)
    .setAudience(issuer)
    .setSubject(clientId)
    .sign(await importPKCS8(privateKey ?? '', 'ES256'));
}

export async function clientAuthentication(
  options: ProviderOptions,
  code: CodeOptions,
  { clientAuthentications: methods = ['client_secret_basic'] }: Metadata,
  clock: Clock,
): Promise<ClientAuth> {
  const { authentication, clientSecret = '' } = code;
  if (authentication === 'apple') return ClientSecretPost(await appleSecret(options, code, clock));
  const isBasic =
    authentication === 'basic' ||
    (authentication === 'auto' && methods.includes('client_secret_basic'));
  return isBasic ? ClientSecretBasic(clientSecret) : ClientSecretPost(clientSecret);
}
