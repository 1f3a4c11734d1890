/**
 * The OpenAPI document of administration: one of its own, so that the public one says nothing of
 * it, served to API keys of the scope `admin` alone (docs/openapi-admin.json is the same).
 */
import * as z from 'zod';
import { isJsonObject } from '../lib/json.ts';
import { openapi } from './openapi.ts';
import type { DocumentInfo } from './openapi.ts';
import type { Json } from './openapi-components.ts';
import { apiKey, route } from './route.ts';
import type { AnyRoute } from './route.ts';

/** Without what only front-ends that call for their users need: nobody calls for operators. */
function withoutCallers(document: Json): Json {
  const { components } = document;
  if (!isJsonObject(components)) return document;
  const { parameters: _, responses, ...rest } = components;
  const own = Object.entries(isJsonObject(responses) ? responses : {}).filter(
    ([name]) => !name.startsWith('Caller'),
  );
  return { ...document, components: { ...rest, responses: Object.fromEntries(own) } };
}

/** The routes with one more that answers the document of all of them; none without any. */
export function withAdminOpenapi(
  routes: readonly AnyRoute[],
  info: DocumentInfo,
): readonly AnyRoute[] {
  if (routes.length === 0) return [];
  let made: Json | undefined;
  const own: AnyRoute = route({
    method: 'get',
    path: '/admin/openapi.json',
    tag: 'Administration',
    summary: 'The OpenAPI document of administration',
    security: apiKey('admin'),
    status: 200,
    reply: z.record(z.string(), z.unknown()),
    problems: [],
    handle: (): Json => {
      made ??= withoutCallers(openapi(all, { ...info, title: `${info.title}: administration` }));
      return made;
    },
  });
  const all: readonly AnyRoute[] = [...routes, own];
  return all;
}
