/**
 * Serves the example: node examples/frontend/serve.mjs [port]. Every path is the one page, which
 * looks at the address itself.
 */
import { fileURLToPath } from 'node:url';
import { context } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const api = process.env.POSTERN_URL ?? 'http://localhost:7400';
// Buttons for outside providers: [{ name, label }], with `[external.NAME]` in config.toml; for an ID
// token instead of a code, authorize and client_id too.
const bundle = await context({
  entryPoints: [`${here}app.js`],
  bundle: true,
  format: 'esm',
  outdir: here,
  write: false,
  define: { POSTERN_URL: JSON.stringify(api), PROVIDERS: process.env.PROVIDERS ?? '[]' },
  // In a project of its own: npm install @postern/client.
  alias: {
    '@postern/client': fileURLToPath(
      new URL('../../packages/client/src/index.ts', import.meta.url),
    ),
  },
});
try {
  const { port } = await bundle.serve({
    host: 'localhost',
    port: Number(process.argv[2] ?? 5173),
    servedir: here,
    fallback: `${here}index.html`,
  });
  console.log(`http://localhost:${port}`);
} catch (error) {
  console.error(
    `${error instanceof Error ? error.message : error}\nAnother port: node examples/frontend/serve.mjs 3000`,
  );
  process.exit(1);
}
