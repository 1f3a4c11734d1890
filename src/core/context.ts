/** One request or one command-line call: who, from where, until when. */
import type { Log, LogFields } from '../lib/log.ts';
import { withFields } from '../lib/log.ts';
import type { ApiKey } from './api-key/api-key.ts';
import type { Requester } from './session/requester.ts';
import type { Principal } from './session/session.ts';
import type { Audience } from './token/audience.ts';

export interface Context {
  readonly requester: Requester;
  /** The signed-in user and session; null for requests without a token and for operators. */
  readonly principal: Principal | null;
  /** The API key of the calling service; null for users and operators. */
  readonly apiKey: ApiKey | null;
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
  readonly signal: AbortSignal;
}

/** Makes contexts for callers. */
export interface CreateContext {
  (caller: Caller & { readonly principal: Principal }): PrincipalContext;
  (caller: Caller, audience?: Audience | null): Context;
}

export function contexts(log: Log): CreateContext {
  function create(caller: Caller & { readonly principal: Principal }): PrincipalContext;
  function create(caller: Caller, audience?: Audience | null): Context;
  function create(caller: Caller, audience: Audience | null = null): Context {
    const { requester, principal, apiKey } = caller;
    const fields: LogFields = {
      request_id: requester.requestId,
      'client.address': requester.ip,
      ...requester.trace,
      ...(principal === undefined
        ? {}
        : { 'user.id': principal.user.id, 'session.id': principal.session.id }),
      ...(apiKey === undefined ? {} : { 'api_key.id': apiKey.id }),
    };
    return {
      requester,
      principal: principal ?? null,
      apiKey: apiKey ?? null,
      audience,
      // Created on demand: few operations need it, and it costs as much as an HMAC.
      get signal() {
        return caller.signal;
      },
      log: withFields(log, fields),
    };
  }
  return create;
}

/** An operator at the command line of this machine. */
export function operatorContext(log: Log): Context {
  const requester = { requestId: 'operator', ip: null, userAgent: null, locale: null };
  return contexts(log)({ requester, signal: new AbortController().signal });
}
