/** One request or one command-line call: who, from where, until when. */
import type { Log, LogFields } from '../lib/log.ts';
import { withFields } from '../lib/log.ts';
import type { ApiKey } from './api-key/api-key.ts';
import type { Requester } from './requester.ts';
import type { Principal } from './session/session.ts';
import type { Audience } from './token/audience.ts';

export interface Context {
  readonly requester: Requester;
  /** The signed-in user and session; null for requests without a token and for operators. */
  readonly principal: Principal | null;
  /** The API key of the calling service; null for users and operators. */
  readonly apiKey: ApiKey | null;
  /** The operator at the command line, by the system's name; null for requests. */
  readonly operator: string | null;
  /** The audience of the tokens of this request; null is the service's own audience. */
  readonly audience: Audience | null;
  /** Aborted when the client has disconnected. */
  readonly signal: AbortSignal;
  /** Logs with the request id and client address, and the principal's user and session. */
  readonly log: Log;
}

/** A context that has a principal. */
export interface PrincipalContext extends Context {
  readonly principal: Principal;
}

/** The input for a context; an HTTP call has these members. */
export interface Caller {
  readonly requester: Requester;
  readonly principal?: Principal | undefined;
  readonly apiKey?: ApiKey | undefined;
  readonly operator?: string | undefined;
  readonly signal: AbortSignal;
}

/** Makes contexts for callers. */
export interface CreateContext {
  (caller: Caller & { readonly principal: Principal }): PrincipalContext;
  (caller: Caller, audience?: Audience | null): Context;
}

/** A class, because a getter of an object literal costs each object a hidden class of its own. */
class CallContext implements Context {
  readonly requester: Requester;
  readonly principal: Principal | null;
  readonly apiKey: ApiKey | null;
  readonly operator: string | null;
  readonly audience: Audience | null;
  readonly log: Log;
  readonly #caller: Caller;

  constructor(caller: Caller, audience: Audience | null, log: Log) {
    this.#caller = caller;
    this.requester = caller.requester;
    this.principal = caller.principal ?? null;
    this.apiKey = caller.apiKey ?? null;
    this.operator = caller.operator ?? null;
    this.audience = audience;
    this.log = log;
  }

  /** Asked for by few, and an AbortController costs as much as a signature by HMAC. */
  get signal(): AbortSignal {
    return this.#caller.signal;
  }
}

function fieldsOf({ requester, principal, apiKey }: Caller): LogFields {
  return {
    request_id: requester.requestId,
    'client.address': requester.ip,
    ...requester.trace,
    ...(principal === undefined
      ? {}
      : { 'user.id': principal.user.id, 'session.id': principal.session.id }),
    ...(apiKey === undefined ? {} : { 'api_key.id': apiKey.id }),
  };
}

export function contexts(log: Log): CreateContext {
  function create(caller: Caller & { readonly principal: Principal }): PrincipalContext;
  function create(caller: Caller, audience?: Audience | null): Context;
  function create(caller: Caller, audience: Audience | null = null): Context {
    return new CallContext(caller, audience, withFields(log, fieldsOf(caller)));
  }
  return create;
}

/**
 * An operator at the command line of this machine.
 *
 * @param operator the name of the system's user
 */
export function operatorContext(log: Log, operator: string): Context {
  const requester = { requestId: 'operator', ip: null, userAgent: null, locale: null };
  return contexts(log)({ requester, operator, signal: new AbortController().signal });
}
