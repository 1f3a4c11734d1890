/**
 * Adding a passkey: begun with a fresh authentication, finished within the same session and in the
 * same state of the account.
 */
import { NothingChanged, UniqueViolation } from '../../db/database.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import { withMethods } from '../../core/factor/amr.ts';
import { changeFactors } from '../../core/factor/factor-change.ts';
import { isBoundTo } from './challenge-token.ts';
import type { Requester } from '../../core/session/requester.ts';
import type { Principal } from '../../core/session/session.ts';
import { methodsOf } from './assertion.ts';
import { beginCeremony, spendCeremony } from './ceremony.ts';
import type { AttestationJson } from './credential-json.ts';
import type { BegunCeremony } from './ceremony.ts';
import { isDecoy } from './decoy.ts';
import type { Descriptor } from './decoy.ts';
import { NotVerified } from './not-verified.ts';
import type { PasskeyApp } from './relying-party.ts';
import { DECOY, TOO_MANY_PASSKEYS, asIfTaken, insertPasskey, listPasskeys } from './store.ts';
import type { Passkey } from './store.ts';
import { verifyCreation } from './verification.ts';
import type { NewCredential } from './verification.ts';

/** More would only make the lists of sign-ins long. */
export const MAX_PASSKEYS = 20;

const DEFAULT_NAME = 'Passkey';

/**
 * Whoever finishes is who began, in the same session, and nothing of the account's factors has
 * changed since (W05, O09).
 */
const bindingOf = ({ user, session }: Principal): readonly string[] => [
  user.id,
  session.id,
  String(user.epoch),
];

/**
 * Begins to add a passkey.
 *
 * @throws {Refusal} too_many_passkeys
 */
export async function beginRegistration(
  app: PasskeyApp,
  principal: Principal,
): Promise<BegunCeremony & { readonly exclude: readonly Descriptor[] }> {
  const own = await listPasskeys(app.db, principal.user.id);
  if (own.length >= MAX_PASSKEYS) throw new Refusal('too_many_passkeys');
  return {
    ...beginCeremony(app, 'register', bindingOf(principal)),
    exclude: own.map(({ credentialId, transports }) => ({ id: credentialId, transports })),
  };
}

/**
 * Adds the passkey that the authenticator made.
 *
 * @throws {Refusal} invalid_request: the ceremony is over, or its answer does not hold;
 *   passkey_registered, too_many_passkeys, conflict
 */
export async function finishRegistration(
  app: PasskeyApp,
  principal: Principal,
  input: { challengeId: string; credential: AttestationJson; name: string | undefined },
  requester: Requester,
): Promise<Passkey> {
  const { user, session } = principal;
  const challenge = await spendCeremony(app, 'register', input.challengeId);
  if (challenge === null || !isBoundTo(app.keys.derivedKey, challenge, bindingOf(principal))) {
    throw invalidRequest({
      pointer: '/challenge_id',
      code: 'spent_or_expired',
      detail: 'It was answered, is too old, or was begun elsewhere. Ask for new options.',
    });
  }
  const made = await verified(app, challenge.challenge, input.credential);
  const { userVerified: _, backupEligible, backedUp, ...kept } = made;
  const passkey: Passkey = {
    ...kept,
    id: app.newId(),
    userId: user.id,
    transports: transportsOf(input.credential),
    name: input.name ?? DEFAULT_NAME,
    backupEligible: backupEligible ? 1 : 0,
    backedUp: backedUp ? 1 : 0,
    createdAt: app.clock.now(),
    lastUsedAt: null,
    cloneSuspectedAt: null,
  };
  try {
    const amr = withMethods(session.amr, methodsOf(made));
    await changeFactors(
      app,
      principal,
      {
        statements: [
          insertPasskey(passkey, MAX_PASSKEYS),
          ...(isDecoy(app.keys.derivedKey, made.credentialId) ? [asIfTaken()] : []),
        ],
        amr,
        letter: 'factor_added',
        factor: letterName(passkey),
        name: 'passkey',
        event: 'factor.added',
      },
      requester,
    );
  } catch (error) {
    if (
      error instanceof UniqueViolation ||
      (error instanceof NothingChanged && error.guard === DECOY)
    )
      throw new Refusal('passkey_registered', { cause: error });
    if (error instanceof NothingChanged && error.guard === TOO_MANY_PASSKEYS)
      throw new Refusal('too_many_passkeys', { cause: error });
    throw error;
  }
  return passkey;
}

/** A passkey in words, for letters. */
export function letterName({ name }: Pick<Passkey, 'name'>): string {
  return `the passkey "${name}"`;
}

/** @throws {Refusal} invalid_request */
async function verified(
  app: PasskeyApp,
  challenge: string,
  credential: AttestationJson,
): Promise<NewCredential> {
  try {
    const { user_verification: userVerification, attestation } = app.config.passkeys;
    return await verifyCreation(
      { relyingParty: app.relyingParty, challenge, userVerification },
      attestation,
      credential,
    );
  } catch (error) {
    if (!(error instanceof NotVerified)) throw error;
    throw new Refusal('invalid_request', {
      errors: [
        {
          pointer: '/credential',
          code: 'not_verified',
          detail:
            'It does not hold for this service, this page and this challenge. Ask for new options and try again.',
        },
      ],
      cause: error,
    });
  }
}

/** As the browser names them, for later options; known or not, but in their form (§5.8.4). */
function transportsOf({ response }: AttestationJson): readonly string[] {
  return [...new Set(response.transports ?? [])]
    .filter((transport) => /^[a-z][a-z-]{0,30}$/.test(transport))
    .sort();
}
