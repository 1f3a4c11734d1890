/** One request or one call of the command line: who, from where, until when. */
import type { Log, LogFields } from '../lib/log.ts';
import { withFields } from '../lib/log.ts';
import type { Requester } from './session/requester.ts';
import type { Principal } from './session/session.ts';

export interface Context {
  readonly requester: Requester;
  /** The signed-in user and session; null for requests without a token and for operators. */
  readonly principal: Principal | null;
  /** Aborted when the caller has gone. */
  readonly signal: AbortSignal;
  /** Carries request id and client address, and user and session of the principal. */
  readonly log: Log;
}

/** A context that has a principal. */
export interface PrincipalContext extends Context {
  readonly principal: Principal;
}

/** What a context is made of; an HTTP call is one. */
export interface Caller {
  readonly requester: Requester;
  readonly principal?: Principal | undefined;
  readonly signal: AbortSignal;
}

type ContextOf<C extends Caller> = C extends { readonly principal: Principal }
  ? PrincipalContext
  : Context;

/** Makes contexts out of callers. */
export type CreateContext = <C extends Caller>(caller: C) => ContextOf<C>;

export function contexts(log: Log): CreateContext {
  return <C extends Caller>({ requester, principal, signal }: C) => {
    const fields: LogFields = {
      request_id: requester.requestId,
      'client.address': requester.ip,
      ...(principal === undefined
        ? {}
        : { 'user.id': principal.user.id, 'session.id': principal.session.id }),
    };
    // The conditional type can't be seen through: a principal is there exactly when it was given.
    return {
      requester,
      principal: principal ?? null,
      signal,
      log: withFields(log, fields),
    } as ContextOf<C>;
  };
}

/** An operator at the command line, on the machine itself. */
export function operatorContext(log: Log): Context {
  const requester = { requestId: 'operator', ip: null, userAgent: null, locale: null };
  return contexts(log)({ requester, signal: new AbortController().signal });
}
