/** Moves schemas that have an id into the components of the OpenAPI document, with references. */
import { isJsonObject } from '../lib/json.ts';

export type Json = { [key: string]: unknown };

/** Moves a schema's own `$defs` into the document's components, and names what has an id. */
export function componentsOut(json: unknown, components: Map<string, unknown>): unknown {
  if (Array.isArray(json)) return json.map((item) => componentsOut(item, components));
  if (!isJsonObject(json)) return json;
  const id = schemaId(json);
  const rewritten: Json = {};
  for (const [key, value] of Object.entries(json)) {
    if (key === '$schema' || (key === 'id' && id !== undefined)) continue;
    if (key === '$defs' && isJsonObject(value)) definitionsOut(value, components);
    else rewritten[key] = memberOut(key, value, components);
  }
  if (id === undefined) return rewritten;
  components.set(id, rewritten);
  return { $ref: `#/components/schemas/${id}` };
}

function definitionsOut(definitions: Json, components: Map<string, unknown>): void {
  for (const [name, definition] of Object.entries(definitions))
    components.set(name, componentsOut(definition, components));
}

function memberOut(key: string, value: unknown, components: Map<string, unknown>): unknown {
  return key === '$ref' && typeof value === 'string'
    ? value.replace('#/$defs/', '#/components/schemas/')
    : componentsOut(value, components);
}

function schemaId(json: Json): string | undefined {
  const { id } = json;
  return 'type' in json && typeof id === 'string' ? id : undefined;
}

/** The content types of bodies, by the protocol of their route. */
export const BODY_TYPES = {
  json: 'application/json',
  oauth: 'application/x-www-form-urlencoded',
  ndjson: 'application/x-ndjson',
};
