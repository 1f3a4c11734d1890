/** The subject of an attempt counter for the codes of an email address, per requesting network. */
import { keyedHash } from '../../crypto/keyed-hash.ts';
import type { Kernel } from '../kernel.ts';
import { networkOf, widerNetworkOf } from '../requester.ts';
import type { Requester } from '../requester.ts';

export function addressSubject(
  { signingKeys }: Pick<Kernel, 'signingKeys'>,
  requester: Pick<Requester, 'ip'>,
  canonical: string,
): string {
  const network = widerNetworkOf(requester) ?? networkOf(requester);
  return keyedHash(signingKeys.derivedKey, 'code of an address', network, canonical);
}
