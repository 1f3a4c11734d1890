/** Bundles the program into dist/, small: `npm run build`. */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import { bundles, copyAssets } from './bundle.mjs';
import { fillCompileCache } from './compile-cache.mjs';

rmSync('dist.new', { recursive: true, force: true });
mkdirSync('dist.new');
const [program, ...beside] = bundles('dist.new');
await build({ ...program, minifySyntax: true, minifyWhitespace: true });
for (const one of beside) await build(one);
for (const name of readdirSync('dist.new').filter((file) => file.endsWith('.mjs')))
  if (/[^\0-\xff]/.test(readFileSync(`dist.new/${name}`, 'utf8')))
    throw new Error(`${name} has a letter beyond Latin-1: V8 would hold two bytes for each`);
copyAssets('dist.new');
// The old bundle goes when the new one is whole. Binaries and packages stay.
mkdirSync('dist', { recursive: true });
const made = readdirSync('dist.new');
for (const name of made) renameSync(`dist.new/${name}`, `dist/${name}`);
for (const name of readdirSync('dist'))
  if (/^postern.*\.mjs(?:\.map)?$/.test(name) && !made.includes(name)) rmSync(`dist/${name}`);
rmSync('dist.new', { recursive: true });
await fillCompileCache();
