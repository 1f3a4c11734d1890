/**
 * One request and its answer: request id, client address, extra headers, the answer built once, and
 * the log line at the end.
 */
import type { Refusal } from '../refusal.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log, LogLevel } from '../lib/log.ts';
import type { Requester } from '../core/requester.ts';
import type { ApiKey } from '../core/api-key/api-key.ts';
import type { Principal } from '../core/session/session.ts';
import { signInNameOf } from '../core/user/user.ts';
import { problemAnswer } from './answer.ts';
import type { Answer, HeaderRecord } from './answer.ts';
import type { Arrival } from './arrival.ts';
import type { Cors } from './cors.ts';
import type { HeaderShapes, MoreHeaders } from './header-shapes.ts';
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
  readonly shapes: HeaderShapes;
  /** Called with the Origin of each request that has one. */
  readonly noteOrigin: (origin: string, host: string | undefined) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly requestId: (given: string | undefined) => string;
  readonly onRequest:
    | ((route: string, method: string, status: number, durationMs: number) => void)
    | undefined;
}

/** Health probes are not logged: their lines would hide the others. */
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

/** The status for a request whose client has disconnected; nginx uses the same number. */
const CLIENT_GONE = 499;

export class Exchange implements Call<unknown> {
  readonly arrival: Arrival;
  readonly requestId: string;
  body: unknown;
  params: Params = NO_PARAMS;
  /** The query as the schema of the route gave it. */
  query: unknown;
  principal: Principal | undefined;
  apiKey: ApiKey | undefined;
  /** Extra headers of the answer, whether it is a success or a refusal. */
  always: HeaderRecord | undefined;
  readonly #shared: ExchangeShared;
  readonly #route: string;
  readonly #started: number;
  #more: MoreHeaders | undefined;
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

  /** From here on, limits and the log use this address for the request. */
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

  /**
   * @param name in lower case
   * @throws {TypeError} not a valid header: thrown here, where it can still be answered
   */
  setHeader(name: string, value: string): void {
    demandHeader(name, value);
    this.#more ??= { names: [], values: [] };
    this.#more.names.push(name);
    this.#more.values.push(value);
  }

  addCookie(cookie: string): void {
    demandHeader('set-cookie', cookie);
    this.#cookies ??= [];
    this.#cookies.push(cookie);
  }

  /**
   * The argument of the handler: this object, with the parsed input and caller already set. It is
   * no separate object, because allocating one per request costs time on the hot path.
   */
  call(body: unknown, params: Params): this {
    this.body = body;
    this.params = params;
    return this;
  }

  /**
   * Answers a request that succeeded, with the headers that its handler added.
   *
   * @param answer with headers that `complete` made
   */
  succeed(answer: Answer): Response {
    return this.#respond(answer, this.#more, undefined);
  }

  refuse(problem: Refusal, headers?: HeaderRecord): Response {
    this.#cookies = undefined;
    const { status, headers: own, body } = problemAnswer(problem, this.requestId);
    // A challenge with an error code refers to the token that was presented (RFC 6750 §3.1).
    if (own['www-authenticate']?.includes('invalid_token') === true) {
      if (this.arrival.header('authorization') === undefined) own['www-authenticate'] = 'Bearer';
    }
    return this.#respond(
      { status, headers: this.#shared.problemHeaders, body },
      moreOf({ ...own, ...headers }),
      problem,
    );
  }

  /** The same in the format of OAuth endpoints (RFC 6749 §5.2). */
  refuseOauth(problem: Refusal): Response {
    const { status, headers, body } = oauthAnswer(problem, this.requestId);
    return this.#respond(
      { status, headers: this.#shared.oauthHeaders, body },
      moreOf(headers),
      problem,
    );
  }

  preflight(methods: readonly string[]): Response {
    const { complete, cors } = this.#shared;
    const headers = complete({ allow: methods.join(', '), 'cache-control': 'no-store' });
    const more = cors?.preflight(this.arrival.header('origin'), methods);
    return this.#respond({ status: 204, headers }, more && moreOf(more), undefined);
  }

  /** Whether the client has disconnected, so that no answer can be sent. */
  get isAbandoned(): boolean {
    return this.arrival.isAbandoned;
  }

  /** Ends a request whose client has disconnected. */
  abandon(): Response {
    this.#finish(CLIENT_GONE, undefined);
    return new Response(null, { status: CLIENT_GONE });
  }

  #respond(
    { status, headers, body }: Answer,
    more: MoreHeaders | undefined,
    problem: Refusal | undefined,
  ): Response {
    const { noteOrigin, shapes } = this.#shared;
    const { arrival, requestId } = this;
    const origin = arrival.header('origin');
    if (origin !== undefined) noteOrigin(origin, arrival.header('host'));
    const extra = this.#extra(headers, origin, more, body);
    // Copying a record that already has the id's name costs no more than cloning it.
    const all: Record<string, string> =
      extra === undefined ? { ...headers } : shapes.extend(headers, extra);
    all['x-request-id'] = requestId;
    const hasBody = status !== 204 && status !== 304;
    const response = new Response(hasBody ? (body ?? '') : null, {
      status,
      headers: this.#cookies === undefined ? all : withCookies(all, this.#cookies),
    });
    this.#finish(status, problem);
    return response;
  }

  /** The headers that the handler or a limit added; undefined for most requests. */
  #extra(
    headers: HeaderRecord,
    origin: string | undefined,
    more: MoreHeaders | undefined,
    body: Answer['body'],
  ): MoreHeaders | undefined {
    const { cors } = this.#shared;
    const { arrival } = this;
    // Unread body bytes would be parsed as the next request, and after an Upgrade offer Node can't
    // find where the next request begins: close the connection instead of draining it without
    // bound.
    const closes = arrival.isUnread || arrival.header('upgrade') !== undefined;
    // Hono drops the body of an answer to HEAD, and its Content-Length too.
    const isHead = arrival.method === 'HEAD' && body !== undefined;
    if (cors === undefined && this.always === undefined && !closes && !isHead) return more;
    const { vary } = headers;
    const own = cors?.headers(origin) ?? {};
    const all = {
      ...own,
      ...(vary === undefined || own['vary'] === undefined
        ? {}
        : { vary: `${vary}, ${own['vary']}` }),
      ...(more === undefined ? {} : recordOf(more)),
      ...this.always,
      ...(closes ? { connection: 'close' } : {}),
      ...(isHead ? { 'content-length': String(Buffer.byteLength(body)) } : {}),
    };
    return moreOf(all);
  }

  /** Writes one log line at the end of each request. */
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

function moreOf(headers: HeaderRecord): MoreHeaders {
  return { names: Object.keys(headers), values: Object.values(headers) };
}

function recordOf({ names, values }: MoreHeaders): HeaderRecord {
  return Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']));
}

const HEADER_NAME = /^[a-z][a-z0-9-]*$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Node's own check of the same takes five times as long. @throws {TypeError} */
function demandHeader(name: string, value: string): void {
  if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value))
    throw new TypeError(`not a header: ${name}`);
}

/** Several Set-Cookie lines need the array form of headers. */
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
