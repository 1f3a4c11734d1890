/**
 * packages/client/src/api.ts: the types of the API, made of docs/openapi.json. Own, for a type a
 * route is easier to read than openapi-typescript's one for each status and header; a test compares
 * the two (test/contract/generated-types.test.ts).
 */

/** @typedef {{ [name: string]: any }} Schema */

const INDENT = '  ';

/**
 * @param {Schema} schema
 * @param {string} indent
 * @returns {string}
 */
function typeOf(schema, indent) {
  if (typeof schema['$ref'] === 'string') return schema['$ref'].split('/').at(-1) ?? 'unknown';
  if (schema['const'] !== undefined) return quoted(schema['const']);
  if (Array.isArray(schema['enum'])) return schema['enum'].map(quoted).join(' | ');
  const several = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(several))
    return several.map((/** @type {Schema} */ one) => typeOf(one, indent)).join(' | ');
  if (Array.isArray(schema['type']))
    return schema['type'].map((type) => typeOf({ ...schema, type }, indent)).join(' | ');
  switch (schema['type']) {
    case 'string':
      return 'string';
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'null':
      return 'null';
    case 'array':
      return `readonly (${typeOf(schema['items'] ?? {}, indent)})[]`;
    case 'object':
      return objectType(schema, indent);
    default:
      return 'unknown';
  }
}

/** @param {unknown} value */
function quoted(value) {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

/**
 * @param {Schema} schema
 * @param {string} indent
 */
function objectType({ properties, required = [] }, indent) {
  if (properties === undefined) return 'Readonly<Record<string, unknown>>';
  const deeper = indent + INDENT;
  const members = Object.entries(properties).map(([name, member]) => {
    const isRequired = required.includes(name);
    const key = /^\w+$/.test(name) ? name : `'${name}'`;
    const doc = member.description === undefined ? '' : `${deeper}/** ${member.description} */\n`;
    return `${doc}${deeper}readonly ${key}${isRequired ? '' : '?'}: ${typeOf(member, deeper)};\n`;
  });
  return `{\n${members.join('')}${indent}}`;
}

/**
 * @param {Schema} operation
 * @param {string} indent
 */
function routeType(operation, indent) {
  const body = operation['requestBody']?.content?.['application/json']?.schema;
  const replies = Object.entries(operation['responses'])
    .filter(([status]) => status.startsWith('2'))
    .map(([, response]) => response.content?.['application/json']?.schema)
    .map((schema) => (schema === undefined ? 'undefined' : typeOf(schema, indent)));
  return [
    `{\n${indent}${INDENT}readonly body: ${body === undefined ? 'undefined' : typeOf(body, indent + INDENT)};`,
    `${indent}${INDENT}readonly reply: ${[...new Set(replies)].join(' | ')};`,
    `${indent}}`,
  ].join('\n');
}

/** @param {Schema} document */
export function clientTypes({ paths, components }) {
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `export type ${name} = ${typeOf(schema, '')};\n`,
  );
  const routes = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([, { requestBody, responses }]) => {
        const isForm = requestBody?.content?.['application/x-www-form-urlencoded'] !== undefined;
        const success = responses[200] ?? responses[201] ?? responses[202] ?? responses[204];
        const types = Object.keys(success?.content ?? {});
        return (
          !isForm && types.every((type) => type === 'application/json') && path !== '/openapi.json'
        );
      })
      .map(([method, operation]) => {
        const name = `${method.toUpperCase()} ${path}`;
        return `${INDENT}readonly '${name}': ${routeType(operation, INDENT)};\n`;
      }),
  );
  return [
    '// Made of docs/openapi.json by scripts/write-docs.mjs.\n',
    ...schemas,
    '/** Each route of the API: what it takes, and what it answers when it succeeds. */',
    `export interface Routes {\n${routes.join('')}}\n`,
  ].join('\n');
}
