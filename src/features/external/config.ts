/** The `[external.NAME]` sections: outside providers whose users may sign in. */
import type * as z from 'zod';
import { readPageUrl } from '../../lib/page-url.ts';
import { readForeignSecret } from '../../lib/secret-text.ts';
import { boolean, choice, list, optionalText, secret, section, text } from '../../lib/setting.ts';
import type { Reading } from '../../lib/setting.ts';

/** What a well-known provider has of its own. */
interface Preset {
  readonly issuer: string;
  /** Who the user is: an ID token, or what its API answers. */
  readonly profile: 'id_token' | 'github' | 'facebook';
  /** Where its API is, if it has a profile of its own. */
  readonly apiUrl?: string;
  readonly scopes: readonly string[];
  /** How the client authenticates at the token endpoint. */
  readonly clientAuthentication: 'post' | 'apple';
  /** Whether its `email` proves nothing, whatever `email_verified` says. */
  readonly hasUnverifiedEmail?: true;
  /** What ties a code to the flow that asked for it; absent: PKCE, and nonce in ID tokens. */
  readonly codeBinding?: 'state';
}

const OPENID = ['openid', 'email', 'profile'];
const USUAL = { profile: 'id_token', scopes: OPENID, clientAuthentication: 'post' } as const;

const PRESETS: Readonly<Record<string, Preset>> = {
  apple: {
    issuer: 'https://appleid.apple.com',
    profile: 'id_token',
    // With name or email Apple posts its answer, which a page can't read.
    scopes: [],
    clientAuthentication: 'apple',
  },
  facebook: {
    issuer: 'https://www.facebook.com',
    profile: 'facebook',
    apiUrl: 'https://graph.facebook.com',
    scopes: ['email', 'public_profile'],
    clientAuthentication: 'post',
  },
  github: {
    issuer: 'https://github.com/login/oauth',
    profile: 'github',
    apiUrl: 'https://api.github.com',
    scopes: ['user:email'],
    clientAuthentication: 'post',
  },
  google: { ...USUAL, issuer: 'https://accounts.google.com' },
  linkedin: {
    ...USUAL,
    issuer: 'https://www.linkedin.com/oauth',
    // It refuses a client that sends a verifier, and its ID tokens have no nonce.
    codeBinding: 'state',
  },
  microsoft: {
    ...USUAL,
    issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0',
    // An administrator of any tenant can write any address into it.
    hasUnverifiedEmail: true,
  },
};

const NAMES = Object.keys(PRESETS);
/** In an issuer that is different for each tenant. */
const TENANT = '{tenantid}';

/** Asymmetric ones alone: with a shared secret, everybody who verifies could also sign. */
const ALGORITHMS: readonly string[] =
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA'.split(' ');

const algorithm = (name: string): Reading<string> =>
  ALGORITHMS.includes(name)
    ? { value: name }
    : { refusals: [{ remedy: `Write some of ${ALGORITHMS.join(', ')}.`, entry: name }] };

const clientId = (name: string): Reading<string> =>
  /^[\x21-\x7e]{1,255}$/.test(name)
    ? { value: name }
    : { refusals: [{ remedy: 'Write the client id as the provider shows it.', entry: name }] };

const matching =
  (form: RegExp, remedy: string) =>
  (name: string): Reading<string> =>
    form.test(name) ? { value: name } : { refusals: [{ remedy }] };

const claimName = matching(
  /^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$/,
  'Write a claim name such as "name".',
);
const readPreset = matching(
  new RegExp(`^(?:${NAMES.join('|')})$`),
  `Write one of ${NAMES.join(', ')}.`,
);
const readTenant = matching(
  /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  'Write the id of a tenant (a UUID in small letters), not its domain, common or organizations.',
);
const readAppleId = matching(
  /^[A-Z0-9]{10}$/,
  'Write the ten capitals and digits that Apple shows.',
);
const readScope = matching(
  /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
  'Write a scope without spaces such as "openid".',
);
const readMetadataClaim = matching(
  /^[A-Za-z][A-Za-z0-9_]{0,63}(?:=[A-Za-z][A-Za-z0-9_.:/-]{0,127})?$/,
  'Write a claim such as "locale", or MEMBER=CLAIM such as "picture=avatar_url".',
);

/** The form of a key is looked at where the section is complete. */
const readKey = (pem: string): Reading<string> => ({ value: pem });

export const externalSchema = section('A provider whose users may sign in.', {
  preset: optionalText({
    sentence: 'The well-known provider that it is.',
    absent: `the name of the section, if it is one of ${NAMES.join(', ')}`,
    example: 'microsoft',
    unit: `one of ${NAMES.join(', ')}`,
    read: readPreset,
  }),
  issuer: optionalText({
    sentence: 'The iss of its ID tokens, exactly.',
    absent: 'that of the preset',
    example: 'https://login.example.com',
    unit: 'an https URL',
    read: readPageUrl,
  }),
  tenants: list({
    sentence: 'The Microsoft tenants whose users may sign in.',
    default: [],
    unit: 'ids of tenants',
    read: readTenant,
  }),
  client_ids: list({
    sentence:
      'The client ids of your applications there: one of them must be the aud of a token; the first is that of redirect_uris.',
    default: [],
    unit: 'client ids; at least one',
    read: clientId,
  }),
  redirect_uris: list({
    sentence:
      'The pages of your front-end that the provider may come back to with a code, exactly as registered there. With none, codes are off.',
    default: [],
    unit: 'https URLs',
    read: readPageUrl,
  }),
  client_secret: secret({
    sentence: 'The secret of the client, for the exchange of a code.',
    unit: 'as the provider shows it',
    absent: 'none; needed with redirect_uris',
    read: readForeignSecret,
  }),
  client_authentication: choice({
    sentence: 'How the secret is sent to the token endpoint.',
    default: 'auto',
    of: ['auto', 'basic', 'post'],
  }),
  team_id: optionalText({
    sentence: 'Your team at Apple.',
    absent: 'none; needed with redirect_uris for Apple',
    example: 'DEF123GHIJ',
    unit: 'ten characters',
    read: readAppleId,
  }),
  key_id: optionalText({
    sentence: 'The id of private_key at Apple.',
    absent: 'none; needed with redirect_uris for Apple',
    example: 'ABC123DEFG',
    unit: 'ten characters',
    read: readAppleId,
  }),
  private_key: secret({
    sentence: 'The key for Sign in with Apple, which signs what Apple takes as client_secret.',
    unit: 'a P-256 key in PEM, the file AuthKey_….p8',
    absent: 'none; needed with redirect_uris for Apple',
    read: readKey,
  }),
  scopes: list({
    sentence: 'What is asked for with a code.',
    default: [],
    unit: 'scopes; with none, those of the preset, or openid, email and profile',
    read: readScope,
  }),
  api_url: optionalText({
    sentence: 'Where the API of a GitHub of your own is.',
    absent: 'that of github or facebook',
    example: 'https://github.example.com/api/v3',
    unit: 'an https URL',
    read: readPageUrl,
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
  metadata_claims: list({
    sentence: 'Claims that are copied into user_metadata of a new account.',
    default: [],
    unit: 'claim names such as "locale", or MEMBER=CLAIM such as "picture=avatar_url"',
    read: readMetadataClaim,
  }),
});

export type ProviderSettings = z.output<typeof externalSchema>;

function presetOf(name: string, { preset = name }: ProviderSettings): Preset | undefined {
  return Object.hasOwn(PRESETS, preset) ? PRESETS[preset] : undefined;
}

/** A section together with what its preset implies. */
export interface ReadProvider {
  /** With `{tenantid}`, if it is different for each tenant. */
  readonly issuer: string;
  /** The `iss` that its ID tokens may have. */
  readonly issuers: readonly string[];
  readonly profile: Preset['profile'];
  readonly apiUrl: string;
  readonly scopes: readonly string[];
  readonly clientAuthentication: 'auto' | 'basic' | 'post' | 'apple';
  readonly codeBinding: 'pkce' | 'state';
  /** Whether an address that the provider calls verified is verified here. */
  readonly trustEmail: boolean;
}

export function readProvider(name: string, settings: ProviderSettings): ReadProvider {
  const preset = presetOf(name, settings);
  const issuer = settings.issuer ?? preset?.issuer ?? '';
  const { tenants, scopes, client_authentication: own } = settings;
  const usual = preset?.clientAuthentication ?? 'auto';
  return {
    issuer,
    issuers: issuer.includes(TENANT) ? tenants.map((id) => issuer.replace(TENANT, id)) : [issuer],
    profile: preset?.profile ?? 'id_token',
    apiUrl: (settings.api_url ?? preset?.apiUrl ?? '').replace(/\/$/, ''),
    scopes: scopes.length > 0 ? scopes : (preset?.scopes ?? OPENID),
    clientAuthentication: own === 'auto' ? usual : own,
    codeBinding: preset?.codeBinding ?? 'pkce',
    trustEmail: settings.trust_email && preset?.hasUnverifiedEmail !== true,
  };
}

/** What is missing for the exchange of codes, as a remedy; undefined if nothing is. */
function codeFault(name: string, settings: ProviderSettings): string | undefined {
  const { client_secret, private_key, team_id, key_id } = settings;
  if (readProvider(name, settings).clientAuthentication !== 'apple')
    return client_secret === undefined
      ? 'no client_secret. Write client_secret_file = "…"'
      : undefined;
  const isComplete = private_key !== undefined && team_id !== undefined && key_id !== undefined;
  return isComplete ? undefined : 'not all of team_id, key_id and private_key_file. Write them';
}

/** What is wrong with a provider; undefined if nothing is. */
export function providerFault(name: string, settings: ProviderSettings): string | undefined {
  const { issuer, issuers, profile, scopes } = readProvider(name, settings);
  if (issuer === '')
    return `external.${name} has no issuer, and ${name} is not a name that implies one. Write issuer = "https://login.example.com".`;
  if (issuers.length === 0)
    return `external.${name} has no tenants, so that users of every tenant would be accepted. Write tenants = ["…"].`;
  if (settings.tenants.length > 0 && !issuer.includes(TENANT))
    return `external.${name} has tenants, and its issuer has no ${TENANT}. Leave one of them out.`;
  if (settings.client_ids.length === 0)
    return `external.${name} has no client_ids, so that tokens for other applications would be accepted. Write client_ids = ["…"].`;
  const isOn = settings.redirect_uris.length > 0;
  if (!isOn && profile === 'github')
    return `external.${name} has no redirect_uris, and GitHub has no ID tokens. Write redirect_uris = ["https://app.example.com/callback"].`;
  if (!isOn) return undefined;
  const missing = codeFault(name, settings);
  if (missing !== undefined)
    return `external.${name} has redirect_uris and ${missing}, or leave redirect_uris out.`;
  const isOpenId =
    profile === 'id_token' && presetOf(name, settings)?.clientAuthentication !== 'apple';
  if (isOpenId && !scopes.includes('openid'))
    return `external.${name} has scopes without openid, so that there would be no ID token. Add "openid".`;
  return undefined;
}
