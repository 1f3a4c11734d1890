/**
 * Paths of routes and of requests. A route writes `{name}` for a whole segment or its beginning;
 * Hono matches it, and the value is checked here.
 */
export type Params = Readonly<Record<string, string>>;

export const NO_PARAMS: Params = Object.freeze({});

/** A path parameter is an id of this service: any other decoded text matches no resource. */
const PARAMETER = /^[A-Za-z0-9._~-]{1,128}$/;

/** A `{name}` and the text that follows it in its segment. */
const PLACE = /\{(\w+)\}([^/]*)/g;

/**
 * The path in Hono's syntax. Text that follows a parameter in its segment becomes part of the
 * parameter's pattern, and so of its value.
 */
export function honoPath(path: string): string {
  return path.replace(PLACE, (_, name: string, rest: string) =>
    rest === '' ? `:${name}` : `:${name}{[^/]+${rest.replaceAll('.', '\\.')}}`,
  );
}

/** Reads the parameters of this path; null when one of them is not an id. */
export type ReadParams = (raw: (name: string) => string | undefined) => Params | null;

export function paramReader(path: string): ReadParams {
  const places = [...path.matchAll(PLACE)].map(([, name = '', suffix = '']) => ({ name, suffix }));
  if (places.length === 0) return () => NO_PARAMS;
  return (raw) => {
    const params: Record<string, string> = {};
    for (const { name, suffix } of places) {
      const value = raw(name) ?? '';
      const text = value.slice(0, value.length - suffix.length);
      if (!PARAMETER.test(text)) return null;
      params[name] = text;
    }
    return params;
  };
}

/** The methods of a path, HEAD with GET; empty when no route has the path. */
export function methodFinder(
  routes: readonly { readonly method: string; readonly path: string }[],
): (path: string) => readonly string[] {
  const fixed = new Map<string, string[]>();
  const patterns: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  for (const { method, path } of routes) {
    const methods = method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()];
    if (path.includes('{')) patterns.push({ pattern: pathPattern(path), methods });
    else fixed.set(path, [...(fixed.get(path) ?? []), ...methods]);
  }
  return (path) => {
    const matching = patterns.filter(({ pattern }) => pattern.test(path));
    return [
      ...new Set([...(fixed.get(path) ?? []), ...matching.flatMap(({ methods }) => methods)]),
    ];
  };
}

function pathPattern(path: string): RegExp {
  const source = path
    .replaceAll('.', '\\.')
    .replace(/\{\w+\}/g, () => PARAMETER.source.slice(1, -1));
  return new RegExp(`^${source}$`);
}

/**
 * Other names, for Hono's router, of fixed paths that a pattern matches too: it can't have both in
 * one place. No request has such a path, because decoding gives no lone surrogate.
 */
export function fixedAliases(routes: readonly { readonly path: string }[]): Map<string, string> {
  const paths = routes.map(({ path }) => path);
  const patterns = paths.filter((path) => path.includes('{')).map(pathPattern);
  const both = paths.filter((path) => patterns.some((pattern) => pattern.test(path)));
  return new Map(both.map((path) => [path, `/\ud800${path}`]));
}

const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

/**
 * The path of a request target, decoded once (ASVS 1.1.1), or null when it has none. Only the path
 * of an absolute-form target is used (RFC 9112 §3.2.2): this service's own host comes from the
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
