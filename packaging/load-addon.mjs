/**
 * How the single binary loads a native addon, which dlopen takes from a file alone: written into a
 * fresh private folder, loaded, and removed at once. The build puts this in the place of the
 * packages' own loaders.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRawAsset } from 'node:sea';

/** EX_CONFIG: another start would change nothing. */
const REFUSED = 78;

/**
 * @param {string} name the asset
 * @returns {any}
 */
export function loadAddon(name) {
  try {
    return loaded(name);
  } catch (error) {
    // Without it nothing works, and Node would print a line of minified source.
    const why = error instanceof Error ? error.message.replace(/\s+/g, ' ') : 'unknown reason';
    process.stderr.write(
      `postern can't load its ${name} from ${tmpdir()}: ${why}. That folder must be writable and allow programs (no noexec mount); set TMPDIR to one that does.\n`,
    );
    process.exit(REFUSED);
  }
}

/** @param {string} name */
function loaded(name) {
  // mkdtemp makes it 0700.
  const folder = mkdtempSync(join(tmpdir(), 'postern-'));
  try {
    const file = join(folder, name);
    writeFileSync(file, new Uint8Array(getRawAsset(name)), { flag: 'wx', mode: 0o500 });
    const addon = { exports: {} };
    process.dlopen(addon, file);
    return addon.exports;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
