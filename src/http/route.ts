/**
 * A route is one value: method, path, who may call it, input, answer and refusals. The server and
 * the OpenAPI document are both generated from it, so they can't disagree.
 */
import type * as z from 'zod';
import type { LimitName } from '../core/limit/limits.ts';
import type { RefusalCode } from '../refusal.ts';
import type { Requester } from '../core/requester.ts';
import type { Principal } from '../core/session/session.ts';
import type { ApiKey } from '../core/api-key/api-key.ts';
import type { WantedScope } from '../core/api-key/api-keys.ts';

export type Method = 'get' | 'post' | 'patch' | 'delete';

/** Who may call a route. A route without it does not compile. */
export type Security = 'public' | BearerSecurity | ApiKeySecurity;

/** A user's access token; `fresh` also requires a recent authentication (RFC 9470). */
export interface BearerSecurity {
  readonly scheme: 'bearer';
  readonly fresh: boolean;
}

export function bearer(options: { fresh: boolean } = { fresh: false }): BearerSecurity {
  return { scheme: 'bearer', fresh: options.fresh };
}

/** An API key with a scope; `any` takes every valid key. */
export interface ApiKeySecurity {
  readonly scheme: 'api_key';
  readonly scope: WantedScope;
}

export function apiKey(scope: WantedScope): ApiKeySecurity {
  return { scheme: 'api_key', scope };
}

/** The argument of a handler: one request. */
export interface Call<Body> {
  readonly body: Body;
  readonly params: Readonly<Record<string, string>>;
  readonly requester: Requester;
  /** A request header, or null; several lines of one name are joined with ", " as HTTP has it. */
  header(name: string): string | null;
  /** How often a header occurs; Node silently keeps only the first of two Authorization lines. */
  headerLines(name: string): number;
  /** Sets a header of the answer. */
  setHeader(name: string, value: string): void;
  /** Adds a Set-Cookie line to the answer. */
  addCookie(cookie: string): void;
  /** Aborted when the client has disconnected. */
  readonly signal: AbortSignal;
}

export interface PrincipalCall<Body> extends Call<Body> {
  readonly principal: Principal;
}

export interface ApiKeyCall<Body> extends Call<Body> {
  readonly apiKey: ApiKey;
}

type CallFor<S extends Security, Body> = S extends BearerSecurity
  ? PrincipalCall<Body>
  : S extends ApiKeySecurity
    ? ApiKeyCall<Body>
    : Call<Body>;

export interface RouteDefinition<
  S extends Security,
  B extends z.ZodType | undefined,
  R extends z.ZodType | undefined,
  Q extends z.ZodType | undefined,
> {
  readonly method: Method;
  readonly path: `/${string}`;
  /** One line for the OpenAPI document. */
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly security: S;
  /** The body. Without one, the route takes no body or `{}`. */
  readonly body?: B;
  /** The query, an object of texts before the schema. Without one, it is not looked at. */
  readonly query?: Q;
  /**
   * `oauth`: the body is a form and refusals have the format of RFC 6749 §5.2, as the RFCs of OAuth
   * require. `ndjson`: the body is a stream of bytes. The default is JSON and problem documents.
   */
  readonly protocol?: 'oauth' | 'ndjson';
  /** The limit per client that applies to this route; it also declares the refusal. */
  readonly limit?: LimitName;
  /** Whether it voids the caller's device token, so that the answer carries a new one. */
  readonly renewsDevice?: true;
  /** When true, the body may be absent, and the schema then gets `{}`. */
  readonly bodyOptional?: true;
  /** Whether the refresh cookie may stand for the token, for the document. */
  readonly readsCookie?: true;
  readonly status: 200 | 201 | 202 | 204 | 302;
  /**
   * The JSON answer; parsed before it is sent, so that a new column can't leak. Without it, the
   * answer has no body.
   */
  readonly reply?: R;
  /** For routes that may answer 202: which answers do, and their schema. */
  readonly accepted?: { readonly reply: z.ZodType; readonly when: (reply: unknown) => boolean };
  /** Every refusal of the handler, besides those of the front door and of `security`. */
  readonly problems: readonly RefusalCode[];
  /** Headers of a successful answer, for the OpenAPI document. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly handle: (
    call: CallFor<S, B extends z.ZodType ? z.output<B> : undefined> & {
      readonly query: Q extends z.ZodType ? z.output<Q> : unknown;
    },
  ) => Promise<R extends z.ZodType ? z.input<R> : void> | (R extends z.ZodType ? z.input<R> : void);
}

/** A route as the server runs it. */
export interface Route {
  readonly kind: 'operation';
  readonly method: Method;
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly security: Security;
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  readonly protocol?: 'oauth' | 'ndjson';
  readonly limit?: LimitName;
  readonly renewsDevice?: true;
  readonly bodyOptional?: true;
  readonly readsCookie?: true;
  readonly status: number;
  readonly reply?: z.ZodType;
  readonly accepted?: { readonly reply: z.ZodType; readonly when: (reply: unknown) => boolean };
  readonly problems: readonly RefusalCode[];
  readonly headers?: Readonly<Record<string, string>>;
  handle(
    call: Call<unknown> & {
      query: unknown;
      principal: Principal | undefined;
      apiKey: ApiKey | undefined;
    },
  ): unknown;
}

/** Makes the value of a route; its types connect body, principal and reply with the handler. */
export function route<
  const S extends Security,
  B extends z.ZodType | undefined = undefined,
  R extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
>(definition: RouteDefinition<S, B, R, Q>): Route;
export function route(definition: object): Route {
  // The server calls each handler only with a body that its schema accepted, and with a principal
  // whenever its security requires one.
  return { kind: 'operation', ...definition } as Route;
}

/**
 * Bytes served as they are: made once, sent with an ETag, answered with 304 when the caller already
 * has them.
 */
export interface DocumentBytes {
  readonly body: string | Buffer;
  /** A strong entity tag with its quotes (RFC 9110 §8.8.3). */
  readonly etag: string;
  /** The same, gzipped, for callers that accept it. */
  readonly gzip?: Buffer;
}

/** A public document: JWKS, metadata, a key as PEM, the OpenAPI document. */
export interface DocumentRoute {
  readonly kind: 'document';
  readonly method: 'get';
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly contentType: string;
  readonly maxAgeSeconds: number;
  readonly problems: readonly RefusalCode[];
  /** The current document; undefined is a 404. Called for each request: return cached bytes. */
  readonly current: (
    params: Readonly<Record<string, string>>,
  ) => DocumentBytes | undefined | Promise<DocumentBytes | undefined>;
}

export function document(definition: Omit<DocumentRoute, 'kind' | 'method'>): DocumentRoute {
  return { kind: 'document', method: 'get', ...definition };
}

export type AnyRoute = Route | DocumentRoute;
