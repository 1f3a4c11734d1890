/**
 * Verifies an authenticator's answer (WebAuthn L3 §7.1, §7.2). The library verifies; the checks
 * that it lacks come first: formats, crossOrigin and topOrigin, trailing bytes, keys. Checks that
 * need the database (single use, owner, uniqueness, counter) belong to the operations (R11, T9).
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

/** What the answer must match. */
export interface Expected {
  readonly relyingParty: RelyingPartyScope;
  readonly challenge: string;
  /** Whether the authenticator must have verified its user. */
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

/** Browsers send five members, the deepest an object. */
const MAX_CLIENT_DATA_DEPTH = 4;
const MAX_CLIENT_DATA_BYTES = 4_096;

/** The bytes of a member. @throws {NotVerified} it is not canonical base64url */
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
 * Checks what the browser says of the page: an allowed origin, not in a frame of another origin
 * (W09).
 *
 * @throws {NotVerified}
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
 * Attestation statements that the library can verify offline. Not android-key: the library would
 * follow its chain to a root sent along with it, and fetch addresses named in these certificates
 * (ASVS 1.3.6); and not android-safetynet, whose service was discontinued.
 */
const FORMATS: ReadonlySet<unknown> = new Set(['none', 'packed', 'tpm', 'apple', 'fido-u2f']);

/**
 * Without a requested attestation, browsers send only none or self attestation (§5.1.3), so
 * certificates are not parsed then. @throws {NotVerified}
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

/** @throws {NotVerified} with the library's error as its cause */
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
 * @param attestation the conveyance preference of the options
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
 * Verifies an assertion with a key (§7.2). The counter is returned unchecked.
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
      // A stored counter below any real one: the library would refuse a low counter before it
      // checks the signature, and then anybody could mark a passkey as copied.
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
