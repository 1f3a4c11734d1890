/**
 * From a request's target to a route. Hono's router does the matching, alone: its application and
 * its adapter for Node wrap each request in a web Request and each answer in a Response, which this
 * service reads and writes directly anyway, and they normalise paths and hosts in ways that had to
 * be undone. Without them an answer costs about 4 µs less and a target means what it says.
 */
import { RegExpRouter } from 'hono/router/reg-exp-router';

export type Params = Readonly<Record<string, string>>;

export interface Match<T> {
  readonly value: T;
  readonly params: Params;
}

export interface Router<T> {
  match(method: string, path: string): Match<T> | undefined;
  /** The methods that a path has, HEAD with GET. */
  methods(path: string): readonly string[];
}

/** What stands in a path is an id of ours: anything else, decoded, names nothing. */
const PARAMETER = /^[A-Za-z0-9._~-]{1,128}$/;

export const NO_PARAMS: Params = Object.freeze({});

/**
 * Makes the router of these entries; a path may have `{name}` for a whole segment or its beginning.
 */
export function createRouter<T>(
  entries: readonly { readonly method: string; readonly path: string; readonly value: T }[],
): Router<T> {
  const router = new RegExpRouter<{
    readonly value: T;
    readonly suffixes: readonly (readonly [string, string])[];
  }>();
  const methods = new Set<string>();
  for (const { method, path, value } of entries) {
    methods.add(method);
    router.add(method, pattern(path), { value, suffixes: suffixesOf(path) });
  }
  const match = (method: string, path: string): Match<T> | undefined => {
    const [handlers, stash] = router.match(method, path);
    const first = handlers[0];
    if (first === undefined) return undefined;
    const [{ value, suffixes }, indexes] = first;
    if (stash === undefined || stash.length === 0) return { value, params: NO_PARAMS };
    const params: Record<string, string> = {};
    for (const [name, index] of Object.entries(indexes))
      params[name] = typeof index === 'number' ? (stash[index] ?? '') : index;
    for (const [name, suffix] of suffixes)
      params[name] = (params[name] ?? '').slice(0, -suffix.length);
    return Object.values(params).every((text) => PARAMETER.test(text))
      ? { value, params }
      : undefined;
  };
  return {
    match,
    methods: (path) =>
      [...methods]
        .filter((method) => match(method, path) !== undefined)
        .flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
  };
}

/**
 * Hono takes a pattern for the parameter when text follows it in its segment; the parameter then
 * has that text too.
 */
function pattern(path: string): string {
  return path.replace(/\{(\w+)\}([^/]*)/g, (_, name: string, rest: string) =>
    rest === '' ? `:${name}` : `:${name}{[^/]+${rest.replaceAll('.', '\\.')}}`,
  );
}

function suffixesOf(path: string): readonly (readonly [name: string, suffix: string])[] {
  return [...path.matchAll(/\{(\w+)\}([^/]+)/g)].map(
    ([, name = '', suffix = '']) => [name, suffix] as const,
  );
}

const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

/**
 * The path of a request target, decoded once (ASVS 1.1.1), or null when it has none. An
 * absolute-form target counts by its path alone (RFC 9112 §3.2.2): who we are comes from the
 * configuration, never from a request.
 */
export function pathOf(target: string): string | null {
  const start = target.startsWith('/') ? 0 : (ABSOLUTE_FORM.exec(target)?.[0].length ?? -1);
  if (start < 0) return null;
  const query = target.indexOf('?', start);
  const path = target.slice(start, query < 0 ? undefined : query);
  if (path === '') return '/';
  if (!path.includes('%')) return path;
  try {
    return decodeURI(path);
  } catch {
    return null;
  }
}
