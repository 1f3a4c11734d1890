/**
 * One assertion, as first or as further factor: whose it is, whether it holds, and what its counter
 * says.
 */
import { createHash } from 'node:crypto';
import { Refusal } from '../../refusal.ts';
import type { Amr } from '../../core/factor/amr.ts';
import type { VerifiedFactor } from '../../core/factor/factor.ts';
import { tellSeldom } from '../../core/email/email.ts';
import type { PasskeyChallenge } from './challenge-token.ts';
import type { Requester } from '../../core/session/requester.ts';
import type { User } from '../../core/user/user.ts';
import type { AssertionJson } from './credential-json.ts';
import { NotVerified } from './not-verified.ts';
import { userHandleOf } from './options.ts';
import type { PasskeyApp } from './relying-party.ts';
import { acceptCounter, suspectClone } from './store.ts';
import type { Passkey } from './store.ts';
import { verifyAssertion } from './verification.ts';
import type { Assertion } from './verification.ts';

/**
 * Keys that nobody has the other half of, ES256, EdDSA and RS256: what an unknown credential is
 * verified by, for the same work (E04).
 */
const STAND_INS = [
  'pQECAyYgASFYIJW6ANjmaGKLpqrEeigfA0I_ieKVLONM8rmJ4Dc2LvfBIlggqMXFxlaONh30-s-ztoXU6Plh7SvMj8PfMpOLfUw_Mw4',
  'pAEBAycgBiFYIGvKFeJ-ITAEPofDluFNtkLwxlLyv0xWiWYvaOleqYRF',
  'pAEDAzkBACBZAQDAa-tyxNHZlusJeiHH9vOLqEgbN960y2quVxwNmGN88s9j0zMiPZS8_DOzUyH8dunVzCtzhLJ02zI7i3qtpj0OkIPcXnGQE9IjkRi0SdGcFcFHxbf22lpWp4xH7wKOYrC9IFYHHuGO7uHKn2EIsRwLbNaJysSQazNzBHp0syQrZ8g5teKvfxbCsaNTxj2-w8v7qgkN1c0qoCinTY7bT9IG6bquAbFtNpYYj10MdSGmBe3FJeoId_lc-lH8nV5ebfIw3fyhX80VWVU49RnBWg8DFMixrMPbt53PZEtihWqfrr3VehXCJ6fGl3SmOz9x5kla42D5MaLtToFIhdezBY7xIUMBAAE',
] as const;

/**
 * Most keys are ES256, some are not, and which one stands in for a credential is always the same:
 * its time tells no more than a real one's.
 */
function standIn(credentialId: string): string {
  const dice = createHash('sha256').update(credentialId).digest()[0] ?? 0;
  return STAND_INS[dice < 200 ? 0 : dice < 228 ? 1 : 2];
}

/** RFC 8176: a key that may be copied between devices is software's to them, whatever holds it. */
export function methodsOf({
  backupEligible,
  userVerified,
}: Pick<Assertion, 'backupEligible' | 'userVerified'>): readonly Amr[] {
  return [backupEligible ? 'swk' : 'hwk', 'user', ...(userVerified ? (['mfa'] as const) : [])];
}

/** The passkey that an assertion names, and its user; null when nobody has it. */
export type Owned = { readonly passkey: Passkey; readonly user: User } | null;

/**
 * Verifies an assertion. That its counter was not used meanwhile is decided by the statement among
 * the effects.
 *
 * @param handle whether the authenticator has to say whose it is (a sign-in that named nobody, §7.2
 *   step 6)
 * @throws {Refusal} invalid_credentials
 */
export async function verifyPasskey(
  app: PasskeyApp,
  challenge: PasskeyChallenge,
  credential: AssertionJson,
  owned: Owned,
  handle: 'required' | 'optional',
  requester: Requester,
): Promise<VerifiedFactor> {
  const expected = {
    relyingParty: app.relyingParty,
    challenge: challenge.challenge,
    userVerification: app.config.passkeys.user_verification,
  };
  let shown;
  try {
    shown = await verifyAssertion(
      expected,
      credential,
      owned?.passkey.publicKey ?? standIn(credential.id),
    );
  } catch (error) {
    if (error instanceof NotVerified) throw new Refusal('invalid_credentials', { cause: error });
    throw error;
  }
  if (owned === null) throw new Refusal('invalid_credentials');
  const { passkey, user } = owned;
  // Said or not, it can be nobody else's (W05).
  const given = credential.response.userHandle ?? '';
  if (given === '' ? handle === 'required' : given !== userHandleOf(user.id))
    throw new Refusal('invalid_credentials');
  // A key can't become or cease to be one that is copied (§7.2 step 19, W03).
  if (shown.backupEligible !== (passkey.backupEligible === 1))
    throw new Refusal('invalid_credentials');
  if (shown.counter <= passkey.counter && (shown.counter > 0 || passkey.counter > 0))
    throw await cloneSuspected(app, passkey, user, requester);
  return {
    factor: 'passkey',
    kind: 'device',
    amr: methodsOf(shown),
    user,
    // Whoever has the key counts apart from strangers at what comes next (L02).
    device: `p${passkey.id}`,
    effects: [
      acceptCounter({
        id: passkey.id,
        counter: shown.counter,
        backedUp: shown.backedUp,
        now: app.clock.now(),
      }),
    ],
  };
}

/**
 * A right signature with a counter that was used before: there may be two of it. Its user is told,
 * and the assertion refused (W04).
 */
async function cloneSuspected(
  app: PasskeyApp,
  passkey: Passkey,
  user: User,
  requester: Requester,
): Promise<Refusal> {
  await app.db.write([
    suspectClone(passkey.id, app.clock.now()),
    ...tellSeldom(
      app,
      'passkey_suspect',
      user.email,
      { factor: passkey.name, address: requester.ip ?? 'unknown' },
      requester,
    ),
  ]);
  app.wakeCourier();
  app.log.write(
    'warn',
    'passkey.clone_suspected',
    'a passkey answered with a counter that was used before',
    { request_id: requester.requestId, 'user.id': user.id, 'client.address': requester.ip },
  );
  return new Refusal('invalid_credentials');
}
