/** The subject of an attempt counter for the codes of an email address, per requesting network. */
import { createHmac } from 'node:crypto';
import type { Kernel } from '../kernel.ts';
import { networkOf, widerNetworkOf } from '../session/requester.ts';
import type { Requester } from '../session/requester.ts';

export function addressSubject(
  { signingKeys }: Pick<Kernel, 'signingKeys'>,
  requester: Pick<Requester, 'ip'>,
  canonical: string,
): string {
  const network = widerNetworkOf(requester) ?? networkOf(requester);
  return createHmac('sha256', signingKeys.derivedKey)
    .update(`postern code of an address\n${network}\n${canonical}`)
    .digest('base64url');
}
