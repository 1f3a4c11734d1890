/**
 * `npm run dev`: bundles src/, starts the program with a readable log, and does both again after
 * every change. What stands behind `--` goes to the program: `npm run dev -- serve --config x.toml`.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { context } from 'esbuild';
import { bundles, copyAssets } from './bundle.mjs';

// Under node_modules, so that the addons are found and nobody commits it.
const OUTDIR = 'node_modules/.cache/postern-dev';
mkdirSync(OUTDIR, { recursive: true });
copyAssets(OUTDIR);

/** @type {import('node:child_process').ChildProcess | undefined} */
let running;
/** Restarts wait for one another. */
let restarted = Promise.resolve();

/** @returns {Promise<void>} */
async function stop() {
  const child = running;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

async function restart() {
  await stop();
  running = spawn(
    process.execPath,
    ['--enable-source-maps', `${OUTDIR}/postern.mjs`, ...process.argv.slice(2)],
    {
      stdio: 'inherit',
      env: { POSTERN_LOG_FORMAT: 'pretty', ...process.env },
    },
  );
}

/** @type {import('esbuild').Plugin} */
const restarting = {
  name: 'restart',
  setup: (build) =>
    build.onEnd(({ errors }) => {
      if (errors.length > 0) console.error('dev: not restarted, the build failed');
      else restarted = restarted.then(restart);
    }),
};

const [program] = bundles(OUTDIR);
const watching = await context({
  ...program,
  entryPoints: { 'postern-program': 'src/main.ts', 'hash-lane': 'src/crypto/hash-lane.mjs' },
  sourcemap: 'linked',
  plugins: [restarting],
});
await watching.watch();

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.once(signal, async () => {
    await watching.dispose();
    await restarted;
    await stop();
    process.exit(0);
  });
