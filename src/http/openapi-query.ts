/** Query parameters in the OpenAPI document. */
import type * as z from 'zod';
import { isJsonObject } from '../lib/json.ts';
import type { Json } from './openapi-components.ts';

/** The parameters of a route's query, of the JSON schema of its object. */
export function queryParameters(
  query: z.ZodType | undefined,
  schema: (type: z.ZodType, io: 'input' | 'output') => unknown,
): readonly Json[] {
  if (query === undefined) return [];
  const object = schema(query, 'input');
  if (!isJsonObject(object) || !isJsonObject(object['properties'])) return [];
  return Object.entries(object['properties']).map(([name, property]) => {
    const { description, ...rest } = isJsonObject(property) ? property : {};
    return { name, in: 'query', required: false, description, schema: rest };
  });
}
