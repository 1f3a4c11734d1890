/** Token exchange: checks the parameters (RFC 8693 §2.1) before the token itself. */
import type { ApiKey } from '../../core/api-key/api-key.ts';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import type { ServiceToken } from '../../core/token/service-token.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import type { InputFault } from '../../refusal.ts';

export const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';

export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

export interface ExchangeInput {
  readonly key: ApiKey;
  readonly resource: string | undefined;
  readonly scope: string | undefined;
  readonly subjectToken: string | undefined;
  readonly subjectTokenType: string | undefined;
  readonly requestedTokenType: string | undefined;
  readonly actorToken: string | undefined;
  readonly audience: string | undefined;
}

function faultsOf(input: ExchangeInput): readonly InputFault[] {
  const faults: InputFault[] = [];
  const wrong = (name: string, detail: string): void =>
    void faults.push({ pointer: `/${name}`, code: 'invalid', detail });
  if (input.subjectToken === undefined) wrong('subject_token', 'This is required.');
  if (input.subjectTokenType !== ACCESS_TOKEN)
    wrong('subject_token_type', `This has to be ${ACCESS_TOKEN}.`);
  if (input.requestedTokenType !== undefined && input.requestedTokenType !== ACCESS_TOKEN)
    wrong('requested_token_type', `Only ${ACCESS_TOKEN} can be issued.`);
  if (input.actorToken !== undefined) wrong('actor_token', 'The API key is the actor.');
  if (input.audience !== undefined) wrong('audience', 'Name the audience as resource.');
  return faults;
}

/**
 * Its function throws {Refusal} unauthorized_client, invalid_request, invalid_target, invalid_scope.
 */
export function exchangeToken({ serviceTokens }: Kernel) {
  return async (context: Context, input: ExchangeInput): Promise<ServiceToken> => {
    const { key, resource, scope, subjectToken } = input;
    if (!key.scopes.includes('exchange')) throw new Refusal('unauthorized_client');
    const faults = faultsOf(input);
    if (faults.length > 0 || subjectToken === undefined) throw invalidRequest(...faults);
    const exchanged = await serviceTokens.exchange(key, subjectToken, { resource, scope });
    context.log.write('debug', 'token.exchanged', 'a service got a token for a user', {});
    return exchanged;
  };
}
