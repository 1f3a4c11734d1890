/**
 * `npm run test:libsql-server [-- PATH…]`: the suite's stores and routes, and two instances, against
 * a real libSQL server. `POSTERN_TEST_SQLD` names its program, `sqld`, of
 * https://github.com/tursodatabase/libsql (`cargo build --release -p libsql-server`); elsewhere this
 * says so and passes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const program = process.env['POSTERN_TEST_SQLD'];
if (program === undefined || !existsSync(program)) {
  console.log(
    'skipped: set POSTERN_TEST_SQLD to the program of a libSQL server (sqld) to run this.',
  );
  process.exit(0);
}

/** Two thousand guesses take longer over a network; plans are read from a file. */
const SLOWER = ['--testTimeout', '180000', '--exclude', '**/query-plans.test.ts'];
const PARTS = [
  { driver: 'auto', paths: ['test/db/contract.test.ts', 'test/e2e/two-instances.test.ts'] },
  {
    driver: 'sqld',
    paths: [
      'account',
      'session',
      'password',
      'passkey',
      'email',
      'token',
      'http',
      'core',
      'mfa',
    ].map((name) => `test/${name}`),
  },
];

const chosen = process.argv.slice(2);
const parts = chosen.length === 0 ? PARTS : [{ driver: 'sqld', paths: chosen }];
for (const { driver, paths } of parts) {
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', ...SLOWER, ...paths],
    { stdio: 'inherit', env: { ...process.env, POSTERN_TEST_DRIVER: driver } },
  );
  if (status !== 0) process.exit(status ?? 1);
}
