/** Verifies a token for an endpoint, and counts the outcome. */
import type { Kernel } from '../../core/kernel.ts';
import { TokenRefused } from '../../core/token/access-token.ts';
import type { AccessClaims } from '../../core/token/access-claims.ts';

const OUTCOMES = {
  invalid_token: 'invalid',
  token_expired: 'expired',
  session_revoked: 'revoked',
} as const;

export interface Verifier {
  /** @throws {TokenRefused} */
  verify(token: string): AccessClaims;
}

export function countedVerifier(
  { accessTokens, metrics }: Pick<Kernel, 'accessTokens' | 'metrics'>,
  endpoint: 'forward_auth' | 'verify',
): Verifier {
  const counter = metrics.verifications(endpoint);
  return {
    verify: (token) => {
      try {
        const claims = accessTokens.verify(token, counter.looked);
        counter.ended('valid');
        return claims;
      } catch (error) {
        if (error instanceof TokenRefused) counter.ended(OUTCOMES[error.fault]);
        throw error;
      }
    },
  };
}
