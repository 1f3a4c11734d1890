/** docs/api against what it is made of; docs/openapi.json against the server: test/e2e. */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiPages } from '../../scripts/api-docs.mjs';
import { clientTypes } from '../../scripts/client-types.mjs';

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const pages = apiPages(
  JSON.parse(read('docs/openapi.json')),
  JSON.parse(read('src/http/examples.json')),
);

test.each(pages.map(({ path, content }) => [path, content] as const))(
  '%s says what the document and the examples say (node scripts/write-docs.mjs)',
  (path, content) => expect(read(path)).toBe(content),
);

test('no page is left over', () =>
  expect(readdirSync(new URL('../../docs/api', import.meta.url)).sort()).toEqual(
    pages.map(({ path }) => path.slice('docs/api/'.length)).sort(),
  ));

test('the types of @postern/client are those of the document', () =>
  expect(read('packages/client/src/api.ts')).toBe(
    clientTypes(JSON.parse(read('docs/openapi.json'))),
  ));
