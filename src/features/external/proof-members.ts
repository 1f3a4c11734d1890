/** How a sign-in at a provider is presented in a body: an ID token, or a code. */
import { text, tokenText } from '../../http/fields.ts';
import { invalidRequest } from '../../refusal.ts';
import type { ProofInput } from './identity-proof.ts';

export const proofMembers = {
  id_token: tokenText().optional().meta({ description: 'As the provider issued it; with nonce.' }),
  nonce: text({ min: 1, max: 128 }).optional().meta({
    description: 'From POST /login/external/{provider}/nonce; the ID token has it too.',
  }),
  code: text({ min: 1, max: 4_096 }).optional().meta({
    description: 'As the provider sent it back to redirect_uri; with state and flow.',
  }),
  state: text({ min: 1, max: 128 }).optional().meta({ description: 'As it came with the code.' }),
  flow: text({ min: 1, max: 128 }).optional().meta({
    description: 'From POST /login/external/{provider}/start, kept by the page that asked for it.',
  }),
  iss: text({ min: 1, max: 512 }).optional().meta({
    description: 'As it came with the code, if it did (RFC 9207).',
  }),
};

type Members = Readonly<
  Record<'id_token' | 'nonce' | 'code' | 'state' | 'flow' | 'iss', string | undefined>
>;

/**
 * What a body presents.
 *
 * @param pointer of the object that has the members
 * @throws {Refusal} invalid_request: neither, or both
 */
export function proofIn(given: Partial<Members>, pointer = ''): ProofInput {
  const { id_token: idToken, nonce, code, state, flow, iss } = given;
  if (idToken !== undefined && code !== undefined) {
    const detail = 'Send only one of id_token and code.';
    throw invalidRequest({ pointer, code: 'too_many', detail });
  }
  if (idToken !== undefined && nonce !== undefined) return { kind: 'id_token', idToken, nonce };
  if (code !== undefined && state !== undefined && flow !== undefined)
    return { kind: 'code', code, state, flow, iss };
  const detail = 'Send id_token and nonce, or code, state and flow.';
  throw invalidRequest({ pointer, code: 'required', detail });
}
