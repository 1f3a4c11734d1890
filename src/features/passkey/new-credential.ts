/** A credential that an authenticator has just created: verified, and as it is stored. */
import type { Context } from '../../core/context.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import type { PasskeyChallenge } from './challenge-token.ts';
import type { AttestationJson } from './credential-json.ts';
import { NotVerified, ORIGIN_DETAIL, OriginRefused, reportOrigin } from './not-verified.ts';
import type { PasskeyKernel } from './settings.ts';
import type { Passkey } from './store.ts';
import { verifyCreation } from './verification.ts';
import type { NewCredential } from './verification.ts';

const DEFAULT_NAME = 'Passkey';

/** Where the member with the answer stands in the body. */
type At = '' | '/passkey';

/** The refusal of a ceremony that has ended, or was begun by somebody else. */
export function ceremonyIsOver(at: At): Refusal {
  return invalidRequest({
    pointer: `${at}/challenge_id`,
    code: 'spent_or_expired',
    detail:
      'The challenge was already answered, has expired, or belongs to another session or account. Ask for new options.',
  });
}

/** @throws {Refusal} invalid_request */
export async function verifyNew(
  { passkeys }: PasskeyKernel,
  context: Context,
  { challenge }: PasskeyChallenge,
  { credential, at }: { readonly credential: AttestationJson; readonly at: At },
): Promise<NewCredential> {
  const { relyingParty, userVerification, attestation } = passkeys;
  const pointer = `${at}/credential`;
  try {
    const expected = { relyingParty, challenge, userVerification };
    return await verifyCreation(expected, attestation, credential);
  } catch (cause) {
    if (cause instanceof OriginRefused) {
      reportOrigin(context, cause);
      throw new Refusal('invalid_request', {
        errors: [{ pointer, code: 'origin_not_allowed', detail: ORIGIN_DETAIL }],
        cause,
      });
    }
    if (!(cause instanceof NotVerified)) throw cause;
    const detail =
      'The credential could not be verified for this service, page and challenge. Ask for new options and try again.';
    throw new Refusal('invalid_request', {
      errors: [{ pointer, code: 'not_verified', detail }],
      cause,
    });
  }
}

/** What is stored of a new passkey, before it has an id, an owner and a time. */
export type PasskeyRecord = Omit<
  Passkey,
  'id' | 'userId' | 'userHandle' | 'createdAt' | 'lastUsedAt' | 'cloneSuspectedAt'
>;

export function recordOf(
  made: NewCredential,
  credential: AttestationJson,
  name: string | undefined,
): PasskeyRecord {
  const { userVerified: _, backupEligible, backedUp, ...kept } = made;
  return {
    ...kept,
    transports: transportsOf(credential),
    name: name ?? DEFAULT_NAME,
    backupEligible: backupEligible ? 1 : 0,
    backedUp: backedUp ? 1 : 0,
  };
}

export function passkeyOf(
  { newId, clock }: Pick<PasskeyKernel, 'newId' | 'clock'>,
  userId: string,
  record: PasskeyRecord,
): Passkey {
  const createdAt = clock.now();
  const fresh = { userHandle: null, lastUsedAt: null, cloneSuspectedAt: null };
  return { ...record, ...fresh, id: newId(), userId, createdAt };
}

/**
 * Transports as the browser names them, for later options; unknown ones are kept if well-formed
 * (§5.8.4).
 */
function transportsOf({ response }: AttestationJson): string[] {
  return [...new Set(response.transports ?? [])]
    .filter((transport) => /^[a-z][a-z-]{0,30}$/.test(transport))
    .sort();
}
