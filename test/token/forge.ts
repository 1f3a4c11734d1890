/**
 * Tokens as an attacker, or a careless sibling, would make them: any header, any claims, any key.
 */
import { createHmac, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { JwsKey } from '../../src/crypto/jws.ts';
import type { TestApp } from '../support/app.ts';

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value), 'utf8').toString(
    'base64url',
  );

export interface Parts {
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
}

/** What a token says. */
export function read(token: string): Parts {
  const [header = '', claims = ''] = token.split('.');
  return {
    header: JSON.parse(Buffer.from(header, 'base64url').toString('utf8')),
    claims: JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')),
  };
}

/** The signature that a key of this algorithm makes. */
function signature(alg: string, key: KeyObject, input: string): Buffer {
  const bytes = Buffer.from(input, 'latin1');
  if (alg === 'HS256') return createHmac('sha256', key).update(bytes).digest();
  if (alg === 'EdDSA') return sign(null, bytes, key);
  return sign('sha256', bytes, alg === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key);
}

/** A token with this header and these claims, as text or as objects, signed with this key. */
export function forge(
  key: Pick<JwsKey, 'alg' | 'signKey'>,
  header: unknown,
  claims: unknown,
): string {
  if (key.signKey === undefined) throw new Error('no private half');
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${signature(key.alg, key.signKey, input).toString('base64url')}`;
}

/**
 * The token with other header members and claims, signed by the service's own key; undefined takes
 * a member away.
 */
export function altered(
  app: TestApp,
  token: string,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): string {
  const good = read(token);
  return forge(
    app.kernel.signingKeys.signingKey(),
    { ...good.header, ...header },
    { ...good.claims, ...claims },
  );
}
