/**
 * The examples of WebAuthn Level 3, section "Test Vectors" (test/vectors/README.md), through our
 * own verification.
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-test-vectors
 */
import { describe, expect, test } from 'vitest';
import { verifyAssertion, verifyCreation } from '../../src/features/passkey/verification.ts';
import type { Expected } from '../../src/features/passkey/verification.ts';
import { readVectors } from '../vectors/read.ts';

/** Bytes are in hexadecimal, by the names that the specification gives them. */
interface Vector {
  readonly id: string;
  readonly registration: Readonly<
    Record<
      'challenge' | 'credential_id' | 'aaguid' | 'clientDataJSON' | 'attestationObject',
      string
    >
  >;
  readonly authentication: Readonly<
    Record<'challenge' | 'authenticatorData' | 'clientDataJSON' | 'signature', string>
  >;
}
const [{ rpId, origin }, ...vectors] = readVectors('webauthn') as readonly [
  { rpId: string; origin: string },
  ...Vector[],
];

const base64url = (hex: string): string => Buffer.from(hex, 'hex').toString('base64url');
const expected = (challenge: string, changes: object = {}): Expected => ({
  relyingParty: { id: rpId, origins: [origin] },
  challenge: base64url(challenge),
  userVerification: 'preferred',
  ...changes,
});
const created = ({
  registration: { credential_id, clientDataJSON, attestationObject },
}: Vector) => ({
  id: base64url(credential_id),
  rawId: base64url(credential_id),
  type: 'public-key' as const,
  response: {
    clientDataJSON: base64url(clientDataJSON),
    attestationObject: base64url(attestationObject),
  },
});
const asserted = ({
  registration: { credential_id },
  authentication: { clientDataJSON, authenticatorData, signature },
}: Vector) => ({
  id: base64url(credential_id),
  rawId: base64url(credential_id),
  type: 'public-key' as const,
  response: {
    clientDataJSON: base64url(clientDataJSON),
    authenticatorData: base64url(authenticatorData),
    signature: base64url(signature),
  },
});
const find = (id: string): Vector => {
  const vector = vectors.find((candidate) => candidate.id === id);
  if (vector === undefined) throw new Error(`no vector ${id}`);
  return vector;
};

describe('the examples of the specification', () => {
  test.each([
    'none-es256',
    'packed-self-es256',
    'none-es256-long-credential-id',
    'packed-es256',
    'packed-rs256',
    'packed-eddsa',
    'apple-es256',
  ])('%s: its registration and its authentication hold', async (id) => {
    const vector = find(id);
    const made = await verifyCreation(
      expected(vector.registration.challenge),
      'direct',
      created(vector),
    );
    expect([made.credentialId, made.aaguid.replaceAll('-', '')]).toEqual([
      base64url(vector.registration.credential_id),
      vector.registration.aaguid,
    ]);
    const assertion = await verifyAssertion(
      expected(vector.authentication.challenge),
      asserted(vector),
      made.publicKey,
    );
    expect(assertion.backupEligible).toBe(made.backupEligible);
  });

  test.each(['none-es256', 'packed-rs256', 'packed-eddsa'])(
    '%s: with another challenge, origin, domain or signature it holds no more',
    async (id) => {
      const vector = find(id);
      const { registration, authentication } = vector;
      const { publicKey } = await verifyCreation(
        expected(registration.challenge),
        'direct',
        created(vector),
      );
      const [library, page] = ['refused by the library', 'an origin that is not listed'];
      for (const [challenge, changes, reason] of [
        ['00', {}, library],
        [null, { relyingParty: { id: rpId, origins: [`${origin}.evil.example`] } }, page],
        [null, { relyingParty: { id: `www.${rpId}`, origins: [origin] } }, library],
      ] as const) {
        await expect(
          verifyCreation(
            expected(challenge ?? registration.challenge, changes),
            'direct',
            created(vector),
          ),
        ).rejects.toThrow(reason);
        await expect(
          verifyAssertion(
            expected(challenge ?? authentication.challenge, changes),
            asserted(vector),
            publicKey,
          ),
        ).rejects.toThrow(reason);
      }
      const altered = {
        ...vector,
        authentication: {
          ...authentication,
          authenticatorData: authentication.authenticatorData.replace(/..$/, '01'),
        },
      };
      await expect(
        verifyAssertion(expected(authentication.challenge), asserted(altered), publicKey),
      ).rejects.toThrow('the signature is wrong');
    },
  );

  test.each(['none-es256-crossOrigin', 'none-es256-topOrigin'])(
    'W09: %s is refused on both ways',
    async (id) => {
      const vector = find(id);
      await expect(
        verifyCreation(expected(vector.registration.challenge), 'direct', created(vector)),
      ).rejects.toThrow('of another origin');
      await expect(
        verifyAssertion(expected(vector.authentication.challenge), asserted(vector), 'AAAA'),
      ).rejects.toThrow('of another origin');
    },
  );

  test.each(['packed-es384', 'packed-es512', 'packed-ed448'])(
    'W07: %s is of an algorithm that was not offered',
    async (id) => {
      const vector = find(id);
      await expect(
        verifyCreation(expected(vector.registration.challenge), 'direct', created(vector)),
      ).rejects.toThrow(/not offered|another length/);
    },
  );

  test.each([
    ['android-key-es256', 'of a format that is not taken'],
    // The library wants a maker that exists, and for U2F the AAGUID of zeros that browsers write
    // there.
    ['tpm-es256', 'refused by the library'],
    ['fido-u2f-es256', 'refused by the library'],
  ])('%s is refused', async (id, reason) => {
    const vector = find(id);
    await expect(
      verifyCreation(expected(vector.registration.challenge), 'direct', created(vector)),
    ).rejects.toThrow(reason);
  });

  test.each(['packed-es256', 'apple-es256', 'tpm-es256', 'fido-u2f-es256'])(
    '%s: certificates that nobody asked for are not read',
    async (id) => {
      const vector = find(id);
      await expect(
        verifyCreation(expected(vector.registration.challenge), 'none', created(vector)),
      ).rejects.toThrow('nobody asked for');
    },
  );

  test('packed-self-es256: the credential’s own signature is accepted even if no attestation was requested', async () => {
    const vector = find('packed-self-es256');
    expect(
      (await verifyCreation(expected(vector.registration.challenge), 'none', created(vector)))
        .credentialId,
    ).toBe(base64url(vector.registration.credential_id));
  });
});
