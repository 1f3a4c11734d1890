/**
 * What an authenticator answered, checked (WebAuthn L3 §7.1, §7.2). The library verifies; what it
 * is not strict about is checked before it: the forms, crossOrigin and topOrigin, leftover bytes,
 * keys. What needs the database (single use, owner, uniqueness, counter) is the operations' (R11,
 * T9).
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-rp-operations
 */
import { decodeBase64url } from '../../lib/base64url.ts';
import { isJsonObject, parseJson } from '../../lib/json.ts';
import { spelledOrigin } from '../../lib/origin.ts';
import type { AssertionJson, AttestationJson } from './credential-json.ts';
import {
  ALGORITHMS,
  MAX_CREDENTIAL_ID_BYTES,
  demandAssertionData,
  readAttestedData,
} from './authenticator-data.ts';
import { readCbor } from './cbor.ts';
import type { Cbor } from './cbor.ts';
import { library } from './webauthn.ts';
import { NotVerified, OriginRefused } from './not-verified.ts';
import type { RelyingPartyScope } from './config.ts';

/** What an answer has to be an answer to. */
export interface Expected {
  readonly relyingParty: RelyingPartyScope;
  readonly challenge: string;
  /** Whether the authenticator has to have verified its user. */
  readonly userVerification: 'required' | 'preferred' | 'discouraged';
}

export type Attestation = 'none' | 'indirect' | 'direct' | 'enterprise';

export interface NewCredential {
  readonly credentialId: string;
  /** COSE, base64url. */
  readonly publicKey: string;
  readonly counter: number;
  readonly aaguid: string;
  readonly userVerified: boolean;
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
}

export interface Assertion {
  readonly counter: number;
  readonly userVerified: boolean;
  readonly backupEligible: boolean;
  readonly backedUp: boolean;
}

/** Browsers write five members, the deepest an object. */
const MAX_CLIENT_DATA_DEPTH = 4;
const MAX_CLIENT_DATA_BYTES = 4_096;

/** The bytes of a member. @throws {NotVerified} it isn't base64url as everybody writes it */
function bytesOf(text: string): Uint8Array {
  const bytes = decodeBase64url(text);
  if (bytes === undefined || bytes.length === 0)
    throw new NotVerified('a member that is not base64url, or empty');
  return bytes;
}

/** Whether a text can be the id of a credential. */
export function isCredentialId(text: string): boolean {
  const bytes = decodeBase64url(text);
  return bytes !== undefined && bytes.length > 0 && bytes.length <= MAX_CREDENTIAL_ID_BYTES;
}

/**
 * What the browser says of the page: of our origins and of nobody else's frame (W09). @throws
 * {NotVerified}
 */
function demandClientData(text: string, { origins }: RelyingPartyScope): void {
  const bytes = bytesOf(text);
  if (bytes.length > MAX_CLIENT_DATA_BYTES)
    throw new NotVerified('client data longer than any browser writes it');
  let data: unknown;
  try {
    data = parseJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), {
      maxDepth: MAX_CLIENT_DATA_DEPTH,
    });
  } catch (cause) {
    throw new NotVerified('client data that is no JSON', { cause });
  }
  if (!isJsonObject(data)) throw new NotVerified('client data that is no object');
  if (data['crossOrigin'] !== undefined && data['crossOrigin'] !== false)
    throw new NotVerified('made in a frame of another origin');
  if (data['topOrigin'] !== undefined) throw new NotVerified('made under a page of another origin');
  const { origin } = data;
  if (typeof origin !== 'string' || !origins.includes(origin))
    throw new OriginRefused(typeof origin === 'string' ? spelledOrigin(origin) : null);
}

/**
 * Statements that the library can verify without asking anybody. android-key is none: the library
 * follows its chain to a root that came along with it, and asks whatever addresses these
 * certificates name (ASVS 1.3.6); android-safetynet has no service behind it any more.
 */
const FORMATS: ReadonlySet<unknown> = new Set(['none', 'packed', 'tpm', 'apple', 'fido-u2f']);

/**
 * Where no attestation is asked for, browsers leave none but that by the credential's own key
 * (§5.1.3); certificates are not read then. @throws {NotVerified}
 */
function demandStatement(
  attestation: Attestation,
  format: Cbor | undefined,
  statement: Cbor | undefined,
): void {
  if (!FORMATS.has(format) || !(statement instanceof Map))
    throw new NotVerified('an attestation statement of a format that is not taken');
  if (attestation === 'none' && format !== 'none' && (format !== 'packed' || statement.has('x5c')))
    throw new NotVerified('an attestation statement that nobody asked for');
}

/** @throws {NotVerified} with the library's reason as its cause */
async function verifying<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new NotVerified('refused by the library', { cause });
  }
}

/**
 * Verifies a new credential (§7.1).
 *
 * @param attestation what was asked of the authenticator
 * @throws {NotVerified}
 */
export async function verifyCreation(
  { relyingParty, challenge, userVerification }: Expected,
  attestation: Attestation,
  credential: AttestationJson,
): Promise<NewCredential> {
  const { id, rawId, type, response } = credential;
  const { clientDataJSON, attestationObject } = response;
  demandClientData(clientDataJSON, relyingParty);
  const bytes = bytesOf(attestationObject);
  const { value, end } = readCbor(bytes, 0);
  if (!(value instanceof Map) || end !== bytes.length)
    throw new NotVerified('an attestation object that is none, or bytes behind it');
  demandStatement(attestation, value.get('fmt'), value.get('attStmt'));
  const data: unknown = value.get('authData');
  if (!(data instanceof Uint8Array)) throw new NotVerified('no authenticator data');
  const attested = readAttestedData(data);
  if (attested.credentialId !== id) throw new NotVerified('two ids for one credential');
  const { verifyRegistrationResponse } = await library();
  const { verified, registrationInfo } = await verifying(() =>
    verifyRegistrationResponse({
      response: {
        id,
        rawId,
        type,
        clientExtensionResults: {},
        response: { clientDataJSON, attestationObject },
      },
      expectedChallenge: challenge,
      expectedOrigin: [...relyingParty.origins],
      expectedRPID: relyingParty.id,
      requireUserVerification: userVerification === 'required',
      supportedAlgorithmIDs: [...ALGORITHMS],
    }),
  );
  if (!verified || registrationInfo === undefined)
    throw new NotVerified('an attestation statement that is wrong');
  const {
    aaguid,
    credential: made,
    userVerified,
    credentialDeviceType,
    credentialBackedUp,
  } = registrationInfo;
  return {
    ...attested,
    aaguid,
    counter: made.counter,
    userVerified,
    backupEligible: credentialDeviceType === 'multiDevice',
    backedUp: credentialBackedUp,
  };
}

/**
 * Verifies an assertion by a key (§7.2). The counter is handed back as it came.
 *
 * @throws {NotVerified}
 */
export async function verifyAssertion(
  { relyingParty, challenge, userVerification }: Expected,
  credential: AssertionJson,
  publicKey: string,
): Promise<Assertion> {
  const { id, rawId, type, response } = credential;
  const { clientDataJSON, authenticatorData, signature } = response;
  demandClientData(clientDataJSON, relyingParty);
  demandAssertionData(bytesOf(authenticatorData));
  bytesOf(signature);
  const { verifyAuthenticationResponse } = await library();
  const { verified, authenticationInfo } = await verifying(() =>
    verifyAuthenticationResponse({
      response: {
        id,
        rawId,
        type,
        clientExtensionResults: {},
        response: { clientDataJSON, authenticatorData, signature },
      },
      expectedChallenge: challenge,
      expectedOrigin: [...relyingParty.origins],
      expectedRPID: relyingParty.id,
      requireUserVerification: userVerification === 'required',
      // Below any counter: the library would refuse a low one before it looks at the signature, and
      // anybody could cast suspicion.
      credential: { id, publicKey: Uint8Array.from(bytesOf(publicKey)), counter: -1 },
    }),
  );
  if (!verified) throw new NotVerified('the signature is wrong');
  const { newCounter, userVerified, credentialDeviceType, credentialBackedUp } = authenticationInfo;
  return {
    counter: newCounter,
    userVerified,
    backupEligible: credentialDeviceType === 'multiDevice',
    backedUp: credentialBackedUp,
  };
}
