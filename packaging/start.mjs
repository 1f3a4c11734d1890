#!/usr/bin/env node
/**
 * `dist/postern.mjs`: loads the program through V8's compile cache, which the build has filled by
 * one start (scripts/compile-cache.mjs). Beside the program, because whoever may write there may
 * change the program itself, which is not so of the temporary folder that Node would take. Node 20
 * has none.
 *
 * @see https://nodejs.org/docs/latest-v24.x/api/module.html#module-compile-cache
 */
import module from 'node:module';
import { fileURLToPath } from 'node:url';

module.enableCompileCache?.(fileURLToPath(new URL('./compile-cache', import.meta.url)));
await import(new URL('./postern-program.mjs', import.meta.url).href);
