/** Bundles the program into dist/, small: `npm run build`. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { build } from 'esbuild';
import { bundles, copyAssets } from './bundle.mjs';

rmSync('dist.new', { recursive: true, force: true });
mkdirSync('dist.new');
const [program, ...beside] = bundles('dist.new');
await build({ ...program, minifySyntax: true, minifyWhitespace: true });
for (const one of beside) await build(one);
copyAssets('dist.new');
// The old one goes when the new one is whole.
rmSync('dist', { recursive: true, force: true });
renameSync('dist.new', 'dist');
