/**
 * Re-encodes published test vectors into test/vectors/, keeping only the fields that tests read and
 * the algorithms that postern has: `node scripts/build-vectors.mjs FOLDER`. FOLDER holds the
 * originals under the names given below; test/vectors/README.md says where they come from.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node scripts/build-vectors.mjs FOLDER');
  process.exit(2);
}

const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'RS256', 'PS256', 'HS256'];
/** `k` is the secret of an HMAC key; members of private keys are left out. */
const JWK_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e', 'k'];

/** @type {(name: string) => any} */
const read = (name) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
/** @type {(hex: string) => string} */
const base64 = (hex) => Buffer.from(hex, 'hex').toString('base64');
/** @type {(object: Record<string, unknown>, names: readonly string[]) => Record<string, unknown>} */
const pick = (object, names) =>
  Object.fromEntries(names.filter((name) => name in object).map((name) => [name, object[name]]));

/**
 * @param {string} name
 * @param {readonly unknown[]} records
 */
function write(name, records) {
  const path = new URL(`../test/vectors/${name}.jsonl`, import.meta.url);
  writeFileSync(path, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  console.log(`${name}.jsonl: ${records.length} records`);
}

/**
 * Signatures: the key, then each case as [number, comment, message, signature, is it valid].
 *
 * @param {string} file
 */
function signatures(file) {
  return read(file).testGroups.map((/** @type {any} */ { publicKeyDer, tests }) => ({
    key: base64(publicKeyDer),
    cases: tests.map((/** @type {any} */ { tcId, comment, msg, sig, result }) => [
      tcId,
      comment,
      base64(msg),
      base64(sig),
      result === 'valid',
    ]),
  }));
}

/** Tokens: algorithm, key id, public (or HMAC) key, then each case as [number, comment, token, is it valid]. */
function tokens() {
  return read('wycheproof_json_web_signature_test')
    .testGroups.map((/** @type {any} */ { private: jwk, tests }) => ({
      // The original spells ES512 as "ES521".
      alg: jwk.alg === 'ES521' ? 'ES512' : (jwk.alg ?? null),
      kid: jwk.kid ?? null,
      forEncryption: jwk.use === 'enc',
      jwk: pick(jwk, JWK_MEMBERS),
      cases: tests.map((/** @type {any} */ { tcId, comment, jws, result }) => [
        tcId,
        comment,
        jws,
        result === 'valid',
      ]),
    }))
    .filter((/** @type {any} */ { alg }) => alg === null || ALGORITHMS.includes(alg));
}

/** Encrypted tokens, of which none may be accepted: the texts alone. */
function encrypted() {
  return read('wycheproof_json_web_encryption_test').testGroups.flatMap(
    (/** @type {any} */ { tests }) => tests.map((/** @type {any} */ { jwe }) => jwe),
  );
}

function webauthn() {
  const { rpId, origin, vectors } = read('webauthn_l3_test');
  const REGISTRATION = [
    'challenge',
    'credential_id',
    'aaguid',
    'clientDataJSON',
    'attestationObject',
  ];
  const AUTHENTICATION = ['challenge', 'authenticatorData', 'clientDataJSON', 'signature'];
  return [
    { rpId, origin },
    ...vectors.map((/** @type {any} */ { id, registration, authentication }) => ({
      id,
      registration: pick(registration, REGISTRATION),
      authentication: pick(authentication, AUTHENTICATION),
    })),
  ];
}

/** Status lists: bits of an entry, the compressed list, its length, and the entries that are not 0. */
function statusLists() {
  return read('status_list').vectors.map((/** @type {any} */ { bits, lst, entries, set }) => ({
    bits,
    lst,
    entries,
    set: Object.entries(set)
      .map(([index, value]) => [Number(index), value])
      .filter(([, value]) => value !== 0)
      .sort(([a], [b]) => a - b),
  }));
}

write('ecdsa-p256', signatures('wycheproof_ecdsa_secp256r1_sha256_p1363_test'));
write('ed25519', signatures('wycheproof_ed25519_test'));
write('jws', tokens());
write('jwe', encrypted());
write('webauthn', webauthn());
write('status-list', statusLists());
