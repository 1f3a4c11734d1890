/** Bundles the program into dist/, small: `npm run build`. */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import { bundles, copyAssets } from './bundle.mjs';

rmSync('dist.new', { recursive: true, force: true });
mkdirSync('dist.new');
const [program, ...beside] = bundles('dist.new');
await build({ ...program, minifySyntax: true, minifyWhitespace: true });
for (const one of beside) await build(one);
copyAssets('dist.new');
// The old bundle goes when the new one is whole. Binaries and packages stay.
mkdirSync('dist', { recursive: true });
const made = readdirSync('dist.new');
for (const name of made) renameSync(`dist.new/${name}`, `dist/${name}`);
for (const name of readdirSync('dist'))
  if (/^postern.*\.mjs(?:\.map)?$/.test(name) && !made.includes(name)) rmSync(`dist/${name}`);
rmSync('dist.new', { recursive: true });
