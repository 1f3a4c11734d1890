/**
 * Writes what follows from the code: config.example.toml and the generated pages of docs/. The code
 * is TypeScript, which Node 20 does not run, so it is bundled first, beside node_modules for the
 * sake of the addons that it names.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';
import { apiPages } from './api-docs.mjs';
import { clientTypes } from './client-types.mjs';

const root = new URL('../', import.meta.url);
const bundle = new URL('node_modules/.cache/postern-docs.mjs', root);
await build({
  entryPoints: [new URL('src/cli/pages.ts', root).pathname],
  outfile: bundle.pathname,
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  logLevel: 'error',
});
const { PAGES } = await import(bundle.href);
await rm(bundle);
await mkdir(new URL('docs/', root), { recursive: true });
for (const { path, content } of PAGES) await writeFile(new URL(path, root), content());
const read = async (/** @type {string} */ path) =>
  JSON.parse(await readFile(new URL(path, root), 'utf8'));
await mkdir(new URL('docs/api/', root), { recursive: true });
for (const { path, content } of apiPages(
  await read('docs/openapi.json'),
  await read('src/http/examples.json'),
))
  await writeFile(new URL(path, root), content);
await writeFile(
  new URL('packages/client/src/api.ts', root),
  clientTypes(await read('docs/openapi.json')),
);
