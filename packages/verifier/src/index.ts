/** Verifies access tokens of postern in any JavaScript runtime, and hears of sign-outs. */
export { hasScope, isUserClaims } from './claims.ts';
export type { Actor, TokenClaims, UserClaims } from './claims.ts';
export { VerifierError } from './error.ts';
export type { VerifierErrorCode } from './error.ts';
export type { Fetch } from './fetch.ts';
export { createVerifier } from './verifier.ts';
export type { Verifier, VerifierOptions } from './verifier.ts';
