/**
 * One request and its answer: id, caller's address, extra headers, the answer written once, the log
 * line at its end.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Refusal } from '../refusal.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log, LogLevel } from '../lib/log.ts';
import type { Requester } from '../core/session/requester.ts';
import type { Principal } from '../core/session/session.ts';
import type { Call } from './route.ts';
import type { Cors } from './cors.ts';
import { NO_PARAMS } from './router.ts';
import type { Params } from './router.ts';
import type { AddressOf } from './requester.ts';
import { problemAnswer, send } from './answer.ts';
import type { Answer } from './answer.ts';
import { countHeader, requesterOf } from './requests.ts';

export interface ExchangeShared {
  readonly common: readonly string[];
  readonly cors: Cors;
  readonly clock: Clock;
  readonly log: Log;
  readonly requestId: (given: string | string[] | undefined) => string;
  readonly addressOf: AddressOf;
  readonly unixListener: boolean;
  readonly onRequest:
    | ((route: string, method: string, status: number, durationMs: number) => void)
    | undefined;
}

/** Probes would fill the log with lines that say nothing. */
const QUIET_ROUTES = new Set(['/healthz', '/readyz', '/metrics']);

const KNOWN_METHODS = new Set([
  'GET',
  'HEAD',
  'POST',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'PUT',
  'TRACE',
]);

export class Exchange implements Call<unknown> {
  readonly incoming: IncomingMessage;
  readonly requestId: string;
  body: unknown;
  params: Params = NO_PARAMS;
  principal: Principal | undefined;
  readonly #shared: ExchangeShared;
  readonly #outgoing: ServerResponse;
  readonly #route: string;
  readonly #started: number;
  #headers: string[] | undefined;
  #requester: Requester | undefined;
  #abort: AbortController | undefined;

  constructor(
    shared: ExchangeShared,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    route: string,
  ) {
    this.#shared = shared;
    this.incoming = incoming;
    this.#outgoing = outgoing;
    this.#route = route;
    this.#started = shared.clock.monotonic();
    this.requestId = shared.requestId(incoming.headers['x-request-id']);
  }

  get requester(): Requester {
    return (this.#requester ??= requesterOf(
      this.incoming,
      this.requestId,
      this.#shared.addressOf,
      this.#shared.unixListener,
    ));
  }

  /**
   * What the handler is given: this, with what was read for it. No object of its own, for the hot
   * path pays for each.
   */
  call(body: unknown, params: Params, principal: Principal | undefined): this {
    this.body = body;
    this.params = params;
    this.principal = principal;
    return this;
  }

  header(name: string): string | null {
    const value = this.incoming.headers[name];
    return value === undefined ? null : Array.isArray(value) ? value.join(', ') : value;
  }

  headerLines(name: string): number {
    return countHeader(this.incoming.rawHeaders, name);
  }

  setHeader(name: string, value: string): void {
    (this.#headers ??= []).push(name, value);
  }

  addCookie(cookie: string): void {
    (this.#headers ??= []).push('set-cookie', cookie);
  }

  get signal(): AbortSignal {
    return this.#signal();
  }

  extraHeaders(headers: readonly string[]): readonly string[] {
    return this.#headers === undefined ? headers : headers.concat(this.#headers);
  }

  answer(answer: Answer, problem?: Refusal): void {
    const { cors } = this.#shared;
    const { origin } = this.incoming.headers;
    const common = this.#shared.common.concat('x-request-id', this.requestId, cors.headers(origin));
    send(this.incoming, this.#outgoing, common, answer);
    this.#finish(answer.status, problem);
  }

  refuse(problem: Refusal, headers: readonly string[] = []): void {
    const answer = problemAnswer(problem, this.requestId, true);
    this.answer(
      headers.length === 0 ? answer : { ...answer, headers: [...answer.headers, ...headers] },
      problem,
    );
  }

  preflight(methods: readonly string[]): void {
    const { common, cors } = this.#shared;
    send(this.incoming, this.#outgoing, common.concat('x-request-id', this.requestId), {
      status: 204,
      headers: [
        'allow',
        methods.join(', '),
        'cache-control',
        'no-store',
        ...cors.preflight(this.incoming.headers.origin, methods),
      ],
    });
    this.#finish(204, undefined);
  }

  /** Whether the caller has gone, so that there is nobody to answer. */
  get isAbandoned(): boolean {
    return this.#outgoing.destroyed && !this.#outgoing.headersSent;
  }

  /** Ends what nobody waits for any more; its line has the status that nginx uses for it. */
  abandon(): void {
    this.#finish(499, undefined);
  }

  #signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      this.#outgoing.on('close', () => {
        if (!this.#outgoing.writableFinished) abort.abort();
      });
    }
    return this.#abort.signal;
  }

  /** One line a request, at its end. */
  #finish(status: number, problem: Refusal | undefined): void {
    const { log, clock, onRequest } = this.#shared;
    const method = KNOWN_METHODS.has(this.incoming.method ?? '')
      ? (this.incoming.method ?? '_OTHER')
      : '_OTHER';
    const durationMs = clock.monotonic() - this.#started;
    onRequest?.(this.#route, method, status, durationMs);
    const level: LogLevel =
      status >= 500 && status !== 503
        ? 'error'
        : status === 503 || status === 429
          ? 'warn'
          : QUIET_ROUTES.has(this.#route)
            ? 'debug'
            : 'info';
    if (!log.enabled(level)) return;
    const { ip, userAgent } = this.requester;
    log.request(level, {
      requestId: this.requestId,
      method,
      route: this.#route,
      status,
      ip,
      userAgent,
      durationMs: Math.round(durationMs * 100) / 100,
      userId: this.principal?.user.id,
      sessionId: this.principal?.session.id,
      problem: problem?.code,
      error: status >= 500 ? problem?.cause : undefined,
    });
  }
}
