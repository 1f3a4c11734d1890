/**
 * Bundles the program: `dist/postern.mjs` and beside it the entry of the hash lanes and the list of
 * common passwords. The two native addons stay outside the bundle; they are found in node_modules.
 */
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

rmSync('dist.new', { recursive: true, force: true });
mkdirSync('dist.new');

/** @type {import('esbuild').BuildOptions} */
const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  legalComments: 'none',
  logLevel: 'warning',
  external: ['libsql', '@libsql/*', '@node-rs/argon2'],
  define: { POSTERN_VERSION: JSON.stringify(version) },
};

await build({
  ...common,
  entryPoints: { postern: 'src/main.ts' },
  outdir: 'dist.new',
  // What is imported when it is needed (SMTP, WebAuthn) lies beside: half of the text, which an
  // idle process need not hold.
  splitting: true,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'postern-[name]-[hash]',
  minifySyntax: true,
  minifyWhitespace: true,
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
await build({
  ...common,
  entryPoints: ['src/crypto/hash-lane.mjs'],
  outfile: 'dist.new/hash-lane.mjs',
});
copyFileSync('src/core/password/common-passwords.bin', 'dist.new/common-passwords.bin');
// The old one goes when the new one is whole.
rmSync('dist', { recursive: true, force: true });
renameSync('dist.new', 'dist');
