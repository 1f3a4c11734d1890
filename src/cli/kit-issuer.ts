/**
 * The issuer of `postern kit serve`: keys, a JWKS, a status list and tokens of any kind, valid and
 * invalid. It has no accounts and only serves to test verifiers.
 */
import { deflateSync } from 'node:zlib';
import { signBytes } from '../crypto/jws-signature.ts';
import type { JwsKey } from '../crypto/jws.ts';
import { generateSigningKey, openSigningKey, publicPem } from '../crypto/signing-keys.ts';
import type { KeyMaterial } from '../crypto/signing-keys.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/id.ts';

export const KIT_AUDIENCE = 'https://api.example.com';

/** Seconds for which a verifier may cache the status list. */
export const KIT_TTL_SECONDS = 1;

const LIST_SIZE = 4_096;
const TOKEN_SECONDS = 900;
const LIST_SECONDS = 300;

type Json = Readonly<Record<string, unknown>>;

/** The differences from a valid token. */
export interface TokenShape {
  readonly header?: Json;
  /** Undefined members are omitted. */
  readonly claims?: Json;
  readonly key?: JwsKey;
  /** Called with the signing input; by default it signs with the key. */
  readonly signature?: (input: string) => string;
}

export interface KitIssuer {
  readonly issuer: string;
  readonly now: () => number;
  /** The key that signs. */
  signer(): JwsKey;
  /** A key that is not published, with the id of the one that signs. */
  readonly stranger: JwsKey;
  readonly signerPem: () => string;
  token(shape?: TokenShape): string;
  statusToken(): string;
  jwks(): Json;
  /** A new key signs from now on; the old one stays published. */
  rotate(): Promise<void>;
  revoke(index: number): void;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const TYPES = ['at+jwt', 'statuslist+jwt'];

export async function createKitIssuer(
  issuer: string,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<KitIssuer> {
  const published: { material: KeyMaterial; key: JwsKey }[] = [];
  const revoked = new Set<number>();
  const now = (): number => Math.floor(clock.now() / 1000);

  const generate = async (): Promise<void> => {
    const material = await generateSigningKey('ES256');
    published.unshift({ material, key: openSigningKey(material, TYPES) });
  };
  await generate();
  const signer = (): JwsKey => {
    const [first] = published;
    if (first === undefined) throw new Error('no key');
    return first.key;
  };
  const foreign = openSigningKey(await generateSigningKey('ES256'), TYPES);

  const sign = (shape: Required<Pick<TokenShape, 'header' | 'claims' | 'key'>>): string => {
    const input = `${encode(shape.header)}.${encode(shape.claims)}`;
    const { alg, signKey } = shape.key;
    if (signKey === undefined) throw new Error('no private key');
    return `${input}.${signBytes(alg, signKey, Buffer.from(input)).toString('base64url')}`;
  };

  const statusUri = `${issuer}/status-lists/0`;

  return {
    issuer,
    now,
    signer,
    stranger: { ...foreign, kid: signer().kid },
    signerPem: () => publicPem(signer()) ?? '',
    token: ({ header = {}, claims = {}, key = signer(), signature } = {}) => {
      const { alg, kid } = key;
      const iat = now();
      const all = {
        iss: issuer,
        sub: '01a1fe1f-4f57-71f1-8260-39b2a9e7b97e',
        aud: KIT_AUDIENCE,
        client_id: 'postern',
        iat,
        nbf: iat,
        exp: iat + TOKEN_SECONDS,
        jti: random.bytes(12).toString('base64url'),
        sid: '01a1fe1f-4f57-71f1-8260-000000000001',
        auth_time: iat,
        amr: ['pwd'],
        acr: 'aal1',
        status: { status_list: { idx: 0, uri: statusUri } },
        ...claims,
      };
      const signed = { header: { alg, kid, typ: 'at+jwt', ...header }, claims: all, key };
      if (signature === undefined) return sign(signed);
      const input = `${encode(signed.header)}.${encode(signed.claims)}`;
      return `${input}.${signature(input)}`;
    },
    statusToken: () => {
      const bits = Buffer.alloc(LIST_SIZE / 8);
      for (const index of revoked) bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
      const { alg, kid } = signer();
      const iat = now();
      return sign({
        header: { alg, kid, typ: 'statuslist+jwt' },
        claims: {
          iss: issuer,
          sub: statusUri,
          iat,
          exp: iat + LIST_SECONDS,
          ttl: KIT_TTL_SECONDS,
          status_list: { bits: 1, lst: deflateSync(bits, { level: 9 }).toString('base64url') },
        },
        key: signer(),
      });
    },
    jwks: () => ({ keys: published.map(({ material }) => material.publicJwk) }),
    rotate: generate,
    revoke: (index) => void revoked.add(index),
  };
}
