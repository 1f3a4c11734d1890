/**
 * Adding a passkey: started with a fresh authentication, completed in the same session and the same
 * state of the account.
 */
import type { PrincipalContext } from '../../core/context.ts';
import { withFactor } from '../../core/factor/presented.ts';
import type { Principal } from '../../core/session/session.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import { presentedBy } from './assertion.ts';
import { beginCeremony, spendCeremony } from './ceremony.ts';
import type { BegunCeremony } from './ceremony.ts';
import { isBoundTo } from './challenge-token.ts';
import type { AttestationJson } from './credential-json.ts';
import type { Descriptor } from './options.ts';
import { NotVerified, ORIGIN_DETAIL, OriginRefused, reportOrigin } from './not-verified.ts';
import type { PasskeyKernel } from './settings.ts';
import { MAX_PASSKEYS, insertPasskey, listPasskeys } from './store.ts';
import type { Passkey } from './store.ts';
import { verifyCreation } from './verification.ts';
import type { NewCredential } from './verification.ts';

const DEFAULT_NAME = 'Passkey';

/**
 * Only the user who started it can complete it, in the same session, and only if the account's
 * factors have not changed since (W05, O09).
 */
const bindingParts = ({ user, session }: Principal): readonly string[] => [
  user.id,
  session.id,
  String(user.epoch),
];

/** A passkey in words, for emails. */
export function labelOf({ name }: Pick<Passkey, 'name'>): string {
  return `the passkey "${name}"`;
}

/** A passkey as the options list it. */
export function descriptorOf({ credentialId, transports }: Passkey): Descriptor {
  return { id: credentialId, transports };
}

export interface BegunCreation extends BegunCeremony {
  readonly exclude: readonly Descriptor[];
}

/** Starts adding a passkey. Its function throws {Refusal} too_many_passkeys. */
export function beginAddingPasskey(kernel: PasskeyKernel) {
  return async ({ principal }: PrincipalContext): Promise<BegunCreation> => {
    const own = await listPasskeys(kernel.db, principal.user.id);
    if (own.length >= MAX_PASSKEYS) throw new Refusal('too_many_passkeys');
    const begun = beginCeremony(kernel, 'register', bindingParts(principal));
    return { ...begun, exclude: own.map(descriptorOf) };
  };
}

export interface NewPasskeyInput {
  readonly challengeId: string;
  readonly credential: AttestationJson;
  readonly name: string | undefined;
}

/**
 * Adds the passkey that the authenticator created.
 *
 * Its function throws {Refusal} invalid_request: the ceremony has ended, or its answer is wrong;
 * passkey_registered, too_many_passkeys, conflict, session_revoked.
 */
export function addPasskey(kernel: PasskeyKernel) {
  return async (context: PrincipalContext, input: NewPasskeyInput): Promise<Passkey> => {
    const { user, session } = context.principal;
    const challenge = await spendCeremony(kernel, 'register', input.challengeId);
    if (challenge === null || !isBoundTo(kernel, challenge, bindingParts(context.principal))) {
      throw invalidRequest({
        pointer: '/challenge_id',
        code: 'spent_or_expired',
        detail:
          'The challenge was already answered, has expired, or belongs to another session. Ask for new options.',
      });
    }
    const made = await verified(kernel, context, challenge.challenge, input.credential);
    const { userVerified: _, backupEligible, backedUp, ...kept } = made;
    const passkey: Passkey = {
      ...kept,
      id: kernel.newId(),
      userId: user.id,
      transports: transportsOf(input.credential),
      name: input.name ?? DEFAULT_NAME,
      backupEligible: backupEligible ? 1 : 0,
      backedUp: backedUp ? 1 : 0,
      createdAt: kernel.clock.now(),
      lastUsedAt: null,
      cloneSuspectedAt: null,
    };
    await kernel.factors.change(context, {
      statements: [insertPasskey(passkey)],
      presented: withFactor(session.factors, presentedBy(made)),
      template: 'factor_added',
      label: labelOf(passkey),
      factor: 'passkey',
      event: 'factor.added',
    });
    return passkey;
  };
}

/** @throws {Refusal} invalid_request */
async function verified(
  { passkeys }: PasskeyKernel,
  context: PrincipalContext,
  challenge: string,
  credential: AttestationJson,
): Promise<NewCredential> {
  const { relyingParty, userVerification, attestation } = passkeys;
  try {
    const expected = { relyingParty, challenge, userVerification };
    return await verifyCreation(expected, attestation, credential);
  } catch (cause) {
    if (cause instanceof OriginRefused) {
      reportOrigin(context, cause);
      throw new Refusal('invalid_request', {
        errors: [{ pointer: '/credential', code: 'origin_not_allowed', detail: ORIGIN_DETAIL }],
        cause,
      });
    }
    if (!(cause instanceof NotVerified)) throw cause;
    const detail =
      'The credential could not be verified for this service, page and challenge. Ask for new options and try again.';
    throw new Refusal('invalid_request', {
      errors: [{ pointer: '/credential', code: 'not_verified', detail }],
      cause,
    });
  }
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
