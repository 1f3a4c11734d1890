/**
 * The key ring: which key signs, which keys still verify, and which are published. All of it is
 * computed from the times in the rows, so that every instance on the database gets the same result
 * without coordination. Keys are created at start, by schedule and by the operator's verb, never in
 * a user's request.
 *
 * Life of a key: published ahead of its use; active from `activatesAt` until the next one is
 * active; verifying until its last token has expired; then removed from the JWKS.
 */
import type { KeyObject } from 'node:crypto';
import { createSecretKey, hkdfSync } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import {
  generateInternalKey,
  generateSigningKey,
  sharedSecretKey,
} from '../../crypto/signing-keys.ts';
import type { PublicJwk } from '../../crypto/signing-keys.ts';
import type { JwsAlgorithm, JwsKey } from '../../crypto/jws.ts';
import type { Sealer } from '../../crypto/seal.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/id.ts';
import { internalSignerOf, placeKeys, publishedOf, signerOf, stillVerifies } from './key-ring.ts';
import type { KeyInfo, KeyLifetimes, KeyPurpose } from './key-ring.ts';
import { KeysRefused, createSealedKeys } from './sealed-key.ts';
import type { RingKey } from './sealed-key.ts';
import { allKeys, insertKey, withdrawOthers } from './store.ts';
import {
  ACCESS_TOKEN_TYPE,
  CHALLENGE_TOKEN_TYPE,
  REFRESH_TOKEN_TYPE,
  SECURITY_EVENT_TOKEN_TYPE,
  STATUS_LIST_TOKEN_TYPE,
} from '../token/token-type.ts';

export { KeysRefused } from './sealed-key.ts';

export interface SigningKeyPolicy {
  readonly algorithm: JwsAlgorithm;
  /** Only for HS256. */
  readonly sharedSecret: string | undefined;
  readonly rotationMs: number;
  readonly publishAheadMs: number;
  readonly lifetimes: KeyLifetimes;
  /** The `typ` of tokens that features sign with internal keys, beside the core's own. */
  readonly internalTokenTypes: readonly string[];
}

/** Whether opening the ring may create missing keys: the service may, a read-only verb may not. */
export type RingUse = 'serve' | 'look';

export interface SigningKeys {
  signingKey(): JwsKey;
  verificationKey(kid: string): JwsKey | undefined;
  internalKeyAt(now: number): JwsKey;
  internalKeyByKid(kid: string): JwsKey | undefined;
  /**
   * A key for values that must only look random, such as the names of unknown accounts: derived
   * from the first internal key, it survives rotation and withdrawal.
   */
  readonly derivedKey: KeyObject;
  /**
   * Keys of device tokens, each derived from an internal key that still verifies; the first one
   * signs.
   */
  deviceKeys(): readonly KeyObject[];
  /** The published public keys, the active one first. Empty under HS256. */
  published(): readonly { readonly jwk: PublicJwk; readonly pem: string }[];
  /** Changes whenever `published()` changes. */
  readonly version: number;
  list(): readonly KeyInfo[];
  /** Reads what other processes have created or withdrawn. */
  refresh(): Promise<void>;
  /** Creates the next key when it is due. */
  ensureNext(): Promise<void>;
  /**
   * Creates a key that becomes active after `delayMs`; with `withdraw`, the older ones stop
   * verifying at once.
   *
   * @returns its id
   */
  rotate(purpose: KeyPurpose, delayMs: number, options?: { withdraw: boolean }): Promise<string>;
}

interface Deps {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Opens the ring; creates the first keys of a new database, and a key of the configured algorithm
 * when the last one has another.
 *
 * @throws {KeysRefused} the stored keys can't be opened
 */
export async function createSigningKeys(
  deps: Deps,
  policy: SigningKeyPolicy,
  use: RingUse,
): Promise<SigningKeys> {
  const { db, sealer, clock, random } = deps;
  const types: Record<KeyPurpose, readonly string[]> = {
    access: [ACCESS_TOKEN_TYPE, STATUS_LIST_TOKEN_TYPE, SECURITY_EVENT_TOKEN_TYPE],
    internal: [REFRESH_TOKEN_TYPE, CHALLENGE_TOKEN_TYPE, ...policy.internalTokenTypes],
  };
  const shared =
    policy.algorithm === 'HS256'
      ? sharedSecretKey(policy.sharedSecret ?? '', types.access)
      : undefined;
  const sealedKeys = createSealedKeys(sealer, types);
  let ring: RingKey[] = [];
  let byKid = new Map<string, RingKey>();
  let published: { jwk: PublicJwk; pem: string }[] = [];
  let active: JwsKey | undefined;
  let deviceKeys: readonly KeyObject[] = [];
  let nextChangeAt = 0;
  let computedAt = 0;
  let version = 0;

  const compute = (now: number): void => {
    const placed = placeKeys(ring, now, policy.lifetimes);
    ring = placed.keys;
    nextChangeAt = placed.nextChangeAt;
    byKid = new Map(ring.map((key) => [key.kid, key]));
    active = shared ?? signerOf(ring, policy.algorithm, now)?.key;
    published =
      shared === undefined
        ? publishedOf(ring).flatMap(({ publicJwk, pem }) =>
            publicJwk === null || pem === null ? [] : [{ jwk: publicJwk, pem }],
          )
        : [];
    const signer = internalSignerOf(ring, now);
    deviceKeys = ring
      .filter((key) => key.purpose === 'internal' && stillVerifies(key))
      .sort((a, b) => Number(b === signer) - Number(a === signer))
      .map(deriveKey);
    computedAt = now;
    version++;
  };

  /**
   * Recomputes when a key changes its state, or when the clock was set back before the last
   * computation.
   */
  const current = (): void => {
    const now = clock.now();
    if (now >= nextChangeAt || now < computedAt) compute(now);
  };

  const refresh = async (): Promise<void> => {
    ring = (await db.read(allKeys({}))).map(sealedKeys.open);
    compute(clock.now());
  };

  const insert = async (purpose: KeyPurpose, activatesAt: number): Promise<string | null> => {
    const algorithm = purpose === 'internal' ? 'HS256' : policy.algorithm;
    // Chosen before the key is generated, which takes time: if two processes chose the same
    // generation, the UNIQUE index accepts one.
    const generation =
      1 +
      Math.max(
        0,
        ...ring
          .filter((key) => key.purpose === purpose && key.algorithm === algorithm)
          .map((key) => key.generation),
      );
    const material =
      algorithm === 'HS256' ? generateInternalKey(random) : await generateSigningKey(algorithm);
    const [[row]] = await db.write([
      insertKey({
        kid: material.kid,
        purpose,
        algorithm,
        generation,
        publicJwk: material.publicJwk,
        privateSealed: sealedKeys.seal(material),
        now: clock.now(),
        activatesAt,
      }),
    ]);
    await refresh(); // also when another instance was first: its key is the one
    return row?.kid ?? null;
  };

  const latest = (purpose: KeyPurpose): RingKey | undefined =>
    ring.findLast(
      (key) =>
        key.purpose === purpose && key.state !== 'withdrawn' && key.activatesAt <= clock.now(),
    );

  const insertNext = async (purpose: KeyPurpose): Promise<void> => {
    const now = clock.now();
    const last = latest(purpose);
    const hasNext = ring.some((key) => key.purpose === purpose && key.activatesAt > now);
    const due = (last?.activatesAt ?? Infinity) + policy.rotationMs;
    if (!hasNext && now >= due - policy.publishAheadMs)
      await insert(purpose, Math.max(now + policy.publishAheadMs, due));
  };

  await refresh();
  if (use === 'serve') {
    if (latest('internal') === undefined) await insert('internal', clock.now());
    if (shared === undefined && latest('access')?.algorithm !== policy.algorithm)
      await insert('access', clock.now());
  }
  const derivedKey = deriveKey(ring.find(({ purpose }) => purpose === 'internal'));

  const verifier = (purpose: KeyPurpose, kid: string): JwsKey | undefined => {
    current();
    const key = byKid.get(kid);
    return key?.purpose === purpose && stillVerifies(key) ? key.key : undefined;
  };

  const keys: SigningKeys = {
    signingKey: () => {
      current();
      if (active === undefined) throw new Error('no active signing key');
      return active;
    },
    verificationKey: (kid) => {
      if (shared === undefined) return verifier('access', kid);
      return kid === shared.kid ? shared : undefined;
    },
    internalKeyAt: (now) => {
      current();
      const signer = internalSignerOf(ring, now);
      if (signer === undefined) throw new Error('no internal key');
      return signer.key;
    },
    internalKeyByKid: (kid) => verifier('internal', kid),
    derivedKey,
    deviceKeys: () => {
      current();
      return deviceKeys;
    },
    published: () => {
      current();
      return published;
    },
    get version() {
      current();
      return version;
    },
    list: () => {
      current();
      return ring.map(({ kid, purpose, algorithm, state, createdAt, activatesAt, retiresAt }) => ({
        kid,
        purpose,
        algorithm,
        state,
        createdAt,
        activatesAt,
        retiresAt,
      }));
    },
    refresh,
    ensureNext: async () => {
      if (shared === undefined) await insertNext('access');
      await insertNext('internal');
    },
    rotate: async (purpose, delayMs, options) => {
      if (purpose === 'access' && shared !== undefined)
        throw new Error('under HS256 the key is tokens.shared_secret: change it there');
      for (let attempt = 0; attempt < 5; attempt++) {
        const kid = await insert(purpose, clock.now() + delayMs);
        if (kid === null) continue;
        if (options?.withdraw === true) {
          await db.write([withdrawOthers({ now: clock.now(), purpose, kid })]);
          await refresh();
        }
        return kid;
      }
      throw new Error('other processes kept making keys; try again');
    },
  };
  return keys;
}

/** @throws {KeysRefused} there is no key to derive from */
function deriveKey(first: RingKey | undefined): KeyObject {
  if (first === undefined || first.secret === null)
    throw new KeysRefused('the database has no signing keys yet. postern serve makes them.');
  const info = 'postern derived names and devices';
  return createSecretKey(Buffer.from(hkdfSync('sha256', first.secret, Buffer.alloc(0), info, 32)));
}
