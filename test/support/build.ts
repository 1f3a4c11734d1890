/**
 * Builds dist before the suite when a source is newer than it. Another build, named by
 * POSTERN_TEST_PROGRAM, is taken as it is.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const OUTPUTS = [
  'dist/postern.mjs',
  'dist/postern-program.mjs',
  'dist/hash-lane.mjs',
  'dist/common-passwords.bin',
];
const BUILD = ['package.json', 'packaging/start.mjs', 'scripts/build.mjs', 'scripts/bundle.mjs'];

export default function setup(): void {
  if (process.env['POSTERN_TEST_PROGRAM'] !== undefined) return;
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).map(
    (name) => join('src', name),
  );
  const newest = Math.max(...[...sources, ...BUILD].map(modified));
  if (Math.min(...OUTPUTS.map(modified)) > newest) return;
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT, stdio: 'inherit' });
}

/** When a file was last written, milliseconds; 0 if there is none. */
function modified(path: string): number {
  return statSync(join(ROOT, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
