/**
 * What the program is bundled from: `postern.mjs`, which starts `postern-program.mjs`, and beside them
 * the entries of the threads and the list of common passwords. The native addons stay outside; they are found in node_modules.
 */
import { copyFileSync, readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** @type {import('esbuild').BuildOptions} */
export const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  legalComments: 'none',
  logLevel: 'warning',
  external: ['libsql', '@libsql/*', '@node-rs/argon2'],
  define: { POSTERN_VERSION: JSON.stringify(version) },
};

/**
 * @param {string} outdir
 * @returns {import('esbuild').BuildOptions[]}
 */
export function bundles(outdir) {
  return [
    {
      ...common,
      entryPoints: { 'postern-program': 'src/main.ts' },
      outdir,
      // What is imported when it is needed (SMTP, WebAuthn) lies beside: half of the text, which an
      // idle process need not hold.
      splitting: true,
      outExtension: { '.js': '.mjs' },
      sourcemap: 'external',
      sourcesContent: false,
      chunkNames: 'postern-[name]-[hash]',
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
      },
    },
    {
      ...common,
      entryPoints: ['src/crypto/hash-lane.mjs'],
      outfile: `${outdir}/hash-lane.mjs`,
    },
    {
      ...common,
      entryPoints: ['src/db/checkpoint-lane.mjs'],
      outfile: `${outdir}/checkpoint-lane.mjs`,
    },
  ];
}

/** @param {string} outdir */
export function copyAssets(outdir) {
  copyFileSync('packaging/start.mjs', `${outdir}/postern.mjs`);
  copyFileSync('src/core/password/common-passwords.bin', `${outdir}/common-passwords.bin`);
}
