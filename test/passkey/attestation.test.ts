/**
 * Attestation statements bring certificates of strangers along: nothing that they name is ever
 * asked (ASVS 1.3.6, 13.2.4).
 */
import 'reflect-metadata';
import { createHash, createPrivateKey, sign, webcrypto } from 'node:crypto';
import { createServer } from 'node:http';
import { encodeCBOR } from '@levischuck/tiny-cbor';
import type { CBORType } from '@levischuck/tiny-cbor';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { Reply, TestApp } from '../support/app.ts';
import { create } from '../support/authenticator.ts';
import { freePort } from '../support/peers.ts';
import { registrationOptions } from './story.ts';

let app: TestApp;
let asked = 0;
let leaf: Uint8Array;
let root: Uint8Array;
let key: webcrypto.CryptoKeyPair;
const listener = createServer((_request, response) => {
  asked++;
  response.end();
});

beforeAll(async () => {
  app = await createTestApp({ config: '[passkeys]\nattestation = "direct"\n' });
  const port = await freePort(listener);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  key = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const issuer = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const crl = new x509.CRLDistributionPointsExtension([`http://127.0.0.1:${port}/crl`]);
  const from = {
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: algorithm,
  };
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    ...from,
    name: 'CN=Root',
    keys: issuer,
    extensions: [new x509.BasicConstraintsExtension(true), crl],
  });
  const own = await x509.X509CertificateGenerator.create({
    ...from,
    subject: 'C=AA, O=Maker, OU=Authenticator Attestation, CN=Test',
    issuer: made.subject,
    publicKey: key.publicKey,
    signingKey: issuer.privateKey,
    extensions: [new x509.BasicConstraintsExtension(false), crl],
  });
  [leaf, root] = [new Uint8Array(own.rawData), new Uint8Array(made.rawData)];
});
afterAll(async () => {
  listener.close();
  await app.stop();
});

/** A registration whose statement is signed by the certificate's key. */
async function register(fmt: string): Promise<Reply> {
  const user = await app.register();
  const begun = await registrationOptions(app, user);
  // What is signed has to be known first: the statement goes in afterwards.
  const { credential } = create(begun.options);
  const attestation = Buffer.from(credential.response.attestationObject, 'base64url');
  const data = attestation.subarray(attestation.length - (37 + 18 + 32 + 77));
  const clientDataHash = createHash('sha256')
    .update(Buffer.from(credential.response.clientDataJSON, 'base64url'))
    .digest();
  const pkcs8 = createPrivateKey({
    key: Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key.privateKey)),
    format: 'der',
    type: 'pkcs8',
  });
  const statement = new Map<string, CBORType>([
    ['alg', -7],
    ['sig', Uint8Array.from(sign('sha256', Buffer.concat([data, clientDataHash]), pkcs8))],
    ['x5c', [leaf, root]],
  ]);
  const attestationObject = encodeCBOR(
    new Map<string, CBORType>([
      ['fmt', fmt],
      ['attStmt', statement],
      ['authData', Uint8Array.from(data)],
    ]),
  );
  const response = {
    ...credential.response,
    attestationObject: Buffer.from(attestationObject).toString('base64url'),
  };
  return app.call('POST', '/me/passkeys', {
    token: user.access,
    body: { challenge_id: begun.challenge_id, credential: { ...credential, response } },
  });
}

describe('certificates that name an address', () => {
  test('packed, rightly signed: taken, and the address is not asked', async () => {
    expect((await register('packed')).status).toBe(201);
    expect(asked).toBe(0);
  });

  test.each(['android-key', 'android-safetynet', 'tpm', 'apple', 'fido-u2f'])(
    '%s: refused, and the address is not asked',
    async (fmt) => {
      expect((await register(fmt)).status).toBe(422);
      expect(asked).toBe(0);
    },
  );

  test('where no attestation is asked for, certificates are not read', async () => {
    const own = app;
    app = await createTestApp();
    expect((await register('packed')).status).toBe(422);
    await app.stop();
    app = own;
  });
});
