/**
 * A route is one value: method, path, who may call it, what goes in, what comes out, what it
 * refuses. The server and the OpenAPI document are both made of these values, so neither can say
 * something that the other does not.
 */
import type * as z from 'zod';
import type { LimitName } from '../core/limit/limits.ts';
import type { RefusalCode } from '../refusal.ts';
import type { Requester } from '../core/session/requester.ts';
import type { Principal } from '../core/session/session.ts';
import type { ApiKey } from '../core/api-key/api-key.ts';
import type { WantedScope } from '../core/api-key/api-keys.ts';

export type Method = 'get' | 'post' | 'patch' | 'delete';

/** Who may call a route. The compiler refuses a route that doesn't say. */
export type Security = 'public' | BearerSecurity | ApiKeySecurity;

/** A user's access token; `fresh` asks for a recent authentication besides (RFC 9470). */
export interface BearerSecurity {
  readonly scheme: 'bearer';
  readonly fresh: boolean;
}

export function bearer(options: { fresh: boolean } = { fresh: false }): BearerSecurity {
  return { scheme: 'bearer', fresh: options.fresh };
}

/** An API key with a scope; `any` takes every key that is good. */
export interface ApiKeySecurity {
  readonly scheme: 'api_key';
  readonly scope: WantedScope;
}

export function apiKey(scope: WantedScope): ApiKeySecurity {
  return { scheme: 'api_key', scope };
}

/** What a handler is given of one request. */
export interface Call<Body> {
  readonly body: Body;
  readonly params: Readonly<Record<string, string>>;
  readonly requester: Requester;
  /** A request header, or null; several lines of one name are joined with ", " as HTTP has it. */
  header(name: string): string | null;
  /**
   * How many lines of a header came; Node keeps the first of two Authorization lines without a
   * word.
   */
  headerLines(name: string): number;
  /** Sets a header of the answer. */
  setHeader(name: string, value: string): void;
  /** Adds a Set-Cookie line to the answer. */
  addCookie(cookie: string): void;
  /** Aborted when the caller has gone. */
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
   * `oauth`: the body is a form and refusals have the form of RFC 6749 §5.2, as the endpoints of
   * OAuth's RFCs have it. By default JSON and problem documents.
   */
  readonly protocol?: 'oauth';
  /** Which limit per client stands before it; the refusal is declared by this. */
  readonly limit?: LimitName;
  /** Whether it voids the caller's device token, so that the answer carries a fresh one. */
  readonly renewsDevice?: true;
  /** When true the body may be left out altogether, and stands as `{}` before the schema. */
  readonly bodyOptional?: true;
  /** Whether the refresh cookie may stand for the token, for the document. */
  readonly readsCookie?: true;
  readonly status: 200 | 201 | 202 | 204 | 302;
  /**
   * The JSON answer; parsed on the way out, so that a new column can't leak. Without one the answer
   * is empty.
   */
  readonly reply?: R;
  /** For answers that only accept: which ones they are, and their schema; they are 202. */
  readonly accepted?: { readonly reply: z.ZodType; readonly when: (reply: unknown) => boolean };
  /** Every refusal that the handler can make, beyond those of the front door and of `security`. */
  readonly problems: readonly RefusalCode[];
  /** Headers that a successful answer carries, for the document. */
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
  readonly protocol?: 'oauth';
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

/** Makes the value of a route; its types tie body, principal and reply to the handler. */
export function route<
  const S extends Security,
  B extends z.ZodType | undefined = undefined,
  R extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
>(definition: RouteDefinition<S, B, R, Q>): Route;
export function route(definition: object): Route {
  // The server hands each handler a call whose body went through that route's own schema, and a
  // principal whenever its security asks for one.
  return { kind: 'operation', ...definition } as Route;
}

/**
 * Bytes served as they are: made once, sent with an ETag, answered with 304 when the caller has
 * them.
 */
export interface DocumentBytes {
  readonly body: string | Buffer;
  /** A strong entity tag with its quotes (RFC 9110 §8.8.3). */
  readonly etag: string;
  /** The same, compressed, for whoever accepts it. */
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
  /** The document as it is now; undefined is a 404. Called for each request: return kept bytes. */
  readonly current: (
    params: Readonly<Record<string, string>>,
  ) => DocumentBytes | undefined | Promise<DocumentBytes | undefined>;
}

export function document(definition: Omit<DocumentRoute, 'kind' | 'method'>): DocumentRoute {
  return { kind: 'document', method: 'get', ...definition };
}

export type AnyRoute = Route | DocumentRoute;
