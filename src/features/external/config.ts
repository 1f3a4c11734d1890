/** The `[external.NAME]` sections: OpenID Connect providers whose users may sign in. */
import type * as z from 'zod';
import { readPageUrl } from '../../lib/page-url.ts';
import { boolean, list, optionalText, section, text } from '../../lib/setting.ts';
import type { Reading } from '../../lib/setting.ts';

/** Issuers of well-known providers, by the name of the section. */
const PRESETS: Readonly<Record<string, string>> = {
  apple: 'https://appleid.apple.com',
  facebook: 'https://www.facebook.com',
  google: 'https://accounts.google.com',
  linkedin: 'https://www.linkedin.com/oauth',
};

/** Asymmetric ones alone: with a shared secret, everybody who verifies could also sign. */
const ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
];

const algorithm = (name: string): Reading<string> =>
  ALGORITHMS.includes(name)
    ? { value: name }
    : { refusals: [{ remedy: `Write some of ${ALGORITHMS.join(', ')}.`, entry: name }] };

const clientId = (name: string): Reading<string> =>
  /^[\x21-\x7e]{1,255}$/.test(name)
    ? { value: name }
    : { refusals: [{ remedy: 'Write the client id as the provider shows it.', entry: name }] };

const claimName = (name: string): Reading<string> =>
  /^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$/.test(name)
    ? { value: name }
    : { refusals: [{ remedy: 'Write a claim name such as "name".' }] };

export const externalSchema = section('A provider whose users may sign in (OpenID Connect).', {
  issuer: optionalText({
    sentence: 'The iss of its ID tokens, exactly; for Microsoft that of one tenant.',
    absent: 'that of apple, facebook, google or linkedin, if the section has this name',
    example: 'https://login.microsoftonline.com/TENANT-ID/v2.0',
    unit: 'an https URL',
    read: readPageUrl,
  }),
  client_ids: list({
    sentence: 'The client ids of your applications there: one of them must be the aud of a token.',
    default: [],
    unit: 'client ids; at least one',
    read: clientId,
  }),
  jwks_url: optionalText({
    sentence: 'Where its public keys are.',
    absent: 'as its /.well-known/openid-configuration says',
    example: 'https://login.example.com/keys',
    unit: 'an https URL',
    read: readPageUrl,
  }),
  algorithms: list({
    sentence: 'The signature algorithms that are accepted.',
    default: ['RS256', 'ES256'],
    unit: 'names such as "RS256"',
    min: 1,
    read: algorithm,
  }),
  trust_email: boolean({
    sentence:
      'Whether an address with email_verified = true becomes the verified address of a new account.',
    default: true,
  }),
  display_name_claim: text({
    sentence: 'The claim that becomes the display name of a new account.',
    default: 'name',
    unit: 'a claim name',
    read: claimName,
  }),
});

export type ProviderSettings = z.output<typeof externalSchema>;

/** The issuer of a provider; undefined if it is neither set nor well known. */
export function issuerOf(name: string, { issuer }: ProviderSettings): string | undefined {
  return issuer ?? (Object.hasOwn(PRESETS, name) ? PRESETS[name] : undefined);
}

/** What is wrong with a provider; undefined if nothing is. */
export function providerFault(name: string, settings: ProviderSettings): string | undefined {
  if (issuerOf(name, settings) === undefined)
    return `external.${name} has no issuer, and ${name} is not a name that implies one. Write issuer = "https://login.example.com".`;
  if (settings.client_ids.length === 0)
    return `external.${name} has no client_ids, so that tokens for other applications would be accepted. Write client_ids = ["…"].`;
  return undefined;
}
