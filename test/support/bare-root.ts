/** A root directory that holds a program, what the C library consists of, and nothing else. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';

const LIBRARIES = /^(?:libc|libm|libdl|libpthread|librt|libgcc_s|libstdc\+\+)\.so|^ld-linux/;

/** @param to where the program lies in it */
export function fillBareRoot(root: string, binary: string, to: string): void {
  chmodSync(root, 0o755);
  const put = (from: string, target: string): void => {
    mkdirSync(dirname(join(root, target)), { recursive: true });
    copyFileSync(from, join(root, target));
  };
  put(binary, to);
  const linked = execFileSync('ldd', [binary], { encoding: 'utf8' });
  for (const [, path = ''] of linked.matchAll(/(\/\S+) \(0x/g)) {
    expect(path.slice(path.lastIndexOf('/') + 1)).toMatch(LIBRARIES);
    put(path, path);
    // What the addons ask for besides; since glibc 2.34 it is empty.
    if (path.endsWith('/libc.so.6')) {
      const old = join(dirname(path), 'librt.so.1');
      put(old, old);
    }
  }
}
