/**
 * One request and its answer: id, caller's address, extra headers, the answer built once, the log
 * line at its end.
 */
import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Refusal } from '../refusal.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log, LogLevel } from '../lib/log.ts';
import type { Requester } from '../core/session/requester.ts';
import type { ApiKey } from '../core/api-key/api-key.ts';
import type { Principal } from '../core/session/session.ts';
import { signInNameOf } from '../core/user/user.ts';
import { problemAnswer } from './answer.ts';
import type { Answer, HeaderRecord } from './answer.ts';
import type { Arrival } from './arrival.ts';
import type { Cors } from './cors.ts';
import { oauthAnswer } from './oauth-error.ts';
import { NO_PARAMS } from './paths.ts';
import type { Params } from './paths.ts';
import { requesterOf } from './requests.ts';
import type { Call } from './route.ts';

export interface ExchangeShared {
  /** Completes the headers of an answer with those of every answer. */
  readonly complete: (headers: HeaderRecord) => HeaderRecord;
  /** Those of every problem document, completed. */
  readonly problemHeaders: HeaderRecord;
  /** Those of every error of an OAuth endpoint, completed. */
  readonly oauthHeaders: HeaderRecord;
  readonly cors: Cors | undefined;
  /** Told of the Origin of each request that has one. */
  readonly noteOrigin: (origin: string, host: string | undefined) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly requestId: (given: string | undefined) => string;
  readonly onRequest:
    | ((route: string, method: string, status: number, durationMs: number) => void)
    | undefined;
}

/** Probes would fill the log with lines that say nothing. */
const QUIET_ROUTES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics']);

const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'PUT',
  'TRACE',
]);

/** What caller and log get of a request that nobody waits for any more; nginx uses it so. */
const CLIENT_GONE = 499;

export class Exchange implements Call<unknown> {
  readonly arrival: Arrival;
  readonly requestId: string;
  body: unknown;
  params: Params = NO_PARAMS;
  principal: Principal | undefined;
  apiKey: ApiKey | undefined;
  /** Headers of the answer, whether it succeeds or refuses. */
  always: HeaderRecord | undefined;
  readonly #shared: ExchangeShared;
  readonly #route: string;
  readonly #started: number;
  #headers: Record<string, string> | undefined;
  #cookies: string[] | undefined;
  #requester: Requester | undefined;

  constructor(shared: ExchangeShared, arrival: Arrival, route: string) {
    this.#shared = shared;
    this.arrival = arrival;
    this.#route = route;
    this.#started = shared.clock.monotonic();
    this.requestId = shared.requestId(arrival.header('x-request-id'));
  }

  get requester(): Requester {
    this.#requester ??= requesterOf(this.arrival, this.requestId);
    return this.#requester;
  }

  /** The request counts as one from this address from here on. */
  speakFor(address: string): void {
    this.#requester = { ...this.requester, ip: address };
  }

  get signal(): AbortSignal {
    return this.arrival.signal;
  }

  header(name: string): string | null {
    return this.arrival.header(name) ?? null;
  }

  headerLines(name: string): number {
    return this.arrival.headerLines(name);
  }

  /** @throws {TypeError} it is no header: now, and not where nobody could answer it any more */
  setHeader(name: string, value: string): void {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    this.#headers ??= {};
    this.#headers[name.toLowerCase()] = value;
  }

  addCookie(cookie: string): void {
    validateHeaderValue('set-cookie', cookie);
    this.#cookies ??= [];
    this.#cookies.push(cookie);
  }

  /**
   * What the handler is given: this, with what was read for it; who calls is set before. No object
   * of its own, for the hot path pays for each.
   */
  call(body: unknown, params: Params): this {
    this.body = body;
    this.params = params;
    return this;
  }

  /**
   * The answer to a request that succeeded, with what its handler set besides.
   *
   * @param answer with headers that `complete` made
   */
  succeed(answer: Answer): Response {
    return this.#respond(answer, this.#headers, undefined);
  }

  refuse(problem: Refusal, headers?: HeaderRecord): Response {
    this.#cookies = undefined;
    const { status, headers: own, body } = problemAnswer(problem, this.requestId);
    // A challenge that names an error speaks of the token that came (RFC 6750 §3.1).
    if (own['www-authenticate']?.includes('invalid_token') === true) {
      if (this.arrival.header('authorization') === undefined) own['www-authenticate'] = 'Bearer';
    }
    return this.#respond(
      { status, headers: this.#shared.problemHeaders, body },
      { ...own, ...headers },
      problem,
    );
  }

  /** The same in the form of OAuth's endpoints. */
  refuseOauth(problem: Refusal): Response {
    const { status, headers, body } = oauthAnswer(problem, this.requestId);
    return this.#respond({ status, headers: this.#shared.oauthHeaders, body }, headers, problem);
  }

  preflight(methods: readonly string[]): Response {
    const { complete, cors } = this.#shared;
    const headers = complete({ allow: methods.join(', '), 'cache-control': 'no-store' });
    return this.#respond(
      { status: 204, headers },
      cors?.preflight(this.arrival.header('origin'), methods),
      undefined,
    );
  }

  /** Whether the caller has gone, so that there is nobody to answer. */
  get isAbandoned(): boolean {
    return this.arrival.isAbandoned;
  }

  /** Ends what nobody waits for any more. */
  abandon(): Response {
    this.#finish(CLIENT_GONE, undefined);
    return new Response(null, { status: CLIENT_GONE });
  }

  #respond(
    { status, headers, body }: Answer,
    more: HeaderRecord | undefined,
    problem: Refusal | undefined,
  ): Response {
    const { cors, noteOrigin } = this.#shared;
    const { arrival } = this;
    const origin = arrival.header('origin');
    if (origin !== undefined) noteOrigin(origin, arrival.header('host'));
    // A copy of one shape: what has the id's name already costs no more than its clone.
    const all: Record<string, string> = { ...headers, 'x-request-id': this.requestId };
    if (cors !== undefined) {
      const { vary } = all;
      Object.assign(all, cors.headers(origin));
      if (vary !== undefined) all['vary'] = `${vary}, ${all['vary']}`;
    }
    if (more !== undefined) Object.assign(all, more);
    if (this.always !== undefined) Object.assign(all, this.always);
    // A body that nobody read would be taken for the next request: end the connection instead of
    // draining without bound.
    // After an offer of another protocol Node no longer sees where the next request begins.
    if (arrival.isUnread || arrival.header('upgrade') !== undefined) all['connection'] = 'close';
    // Hono drops the body of an answer to HEAD, and its length with it.
    if (arrival.method === 'HEAD' && body !== undefined)
      all['content-length'] = String(Buffer.byteLength(body));
    const hasBody = status !== 204 && status !== 304;
    const response = new Response(hasBody ? (body ?? '') : null, {
      status,
      headers: this.#cookies === undefined ? all : withCookies(all, this.#cookies),
    });
    this.#finish(status, problem);
    return response;
  }

  /** One line a request, at its end. */
  #finish(status: number, problem: Refusal | undefined): void {
    const { log, clock, onRequest } = this.#shared;
    const method = KNOWN_METHODS.has(this.arrival.method) ? this.arrival.method : '_OTHER';
    const durationMs = clock.monotonic() - this.#started;
    onRequest?.(this.#route, method, status, durationMs);
    const level = levelOf(status, this.#route);
    if (!log.enabled(level)) return;
    const { ip, userAgent, trace } = this.requester;
    log.request(level, {
      requestId: this.requestId,
      method,
      route: this.#route,
      status,
      ip,
      userAgent,
      durationMs: Math.round(durationMs * 100) / 100,
      trace,
      userId: this.principal?.user.id,
      userName: this.principal && signInNameOf(this.principal.user),
      sessionId: this.principal?.session.id,
      apiKeyId: this.apiKey?.id,
      problem: problem?.code,
    });
  }
}

function levelOf(status: number, route: string): LogLevel {
  if (status === 503 || status === 429) return 'warn';
  if (status >= 500) return 'error';
  return QUIET_ROUTES.has(route) ? 'debug' : 'info';
}

/** Several Set-Cookie lines need the list form. */
function withCookies(
  headers: HeaderRecord,
  cookies: readonly string[],
): Record<string, string> | [string, string][] {
  const [first] = cookies;
  if (cookies.length === 1 && first !== undefined) return { ...headers, 'set-cookie': first };
  return [
    ...Object.entries(headers),
    ...cookies.map((cookie): [string, string] => ['set-cookie', cookie]),
  ];
}
