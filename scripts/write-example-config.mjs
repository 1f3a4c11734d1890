/**
 * Writes config.example.toml and docs/configuration.md from the schema. The schema is TypeScript, which Node 20 does not run, so
 * it is bundled in memory first.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

const root = new URL('../', import.meta.url);
const bundle = await build({
  entryPoints: [new URL('src/config/example.ts', root).pathname],
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
  logLevel: 'error',
});
const code = bundle.outputFiles[0]?.text ?? '';
const { exampleConfig, configurationPage } = await import(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`);

await mkdir(new URL('docs/', root), { recursive: true });
await writeFile(new URL('config.example.toml', root), exampleConfig());
await writeFile(new URL('docs/configuration.md', root), configurationPage());
