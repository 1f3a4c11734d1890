import { defineConfig } from 'vitest/config';

/**
 * Tests that start the service or one of its parts in their own process: HTTP, a mail server, hash
 * lanes, databases on disk.
 */
const HTTP = [
  'test/{account,admin,client,email,email-code,external,import,phone,siblings,verifier,http,mfa,passkey,password,session,token}/**/*.test.ts',
  'test/audit/{cli,notes,rows,seal}.test.ts',
  'test/contract/{conventions,generated-types,openapi,openapi-admin,problems,security-rules,sign-in-paths}.test.ts',
  'test/core/{housekeeping,key-ring}.test.ts',
  'test/config/leaks.test.ts',
  'test/crypto/{jws-oracle,password-hash,password-hash-queue}.test.ts',
  'test/db/{encryption,migrate,remote}.test.ts',
  'test/delivery/*.test.ts',
  'test/features/*.test.ts',
  'test/faults/{fuzz,log}.test.ts',
];
/** Tests that wait or measure: processes that are killed, floods, a browser, times. */
const SLOW = [
  'test/**/*.slow.test.ts',
  'test/e2e/**/*.test.ts',
  'test/faults/{crash,disk,mail-crash,mfa-crash,migrate-crash,timing}.test.ts',
];

/** What libraries bring along: `exclude` replaces the default, which names it. */
const INSTALLED = '**/node_modules/**';

export default defineConfig({
  test: {
    // `isolate: false` below: files share a process and its modules, which have no state of their own
    // (test/contract/architecture.test.ts). Loading them for each file took a quarter of the time.
    pool: 'forks',
    globalSetup: ['test/support/problem-coverage.ts', 'test/support/query-plans.ts'],
    // Two cores: more would measure the scheduler.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text-summary', 'html'] },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: [INSTALLED, ...HTTP, ...SLOW],
        },
      },
      {
        extends: true,
        test: {
          name: 'http',
          isolate: false,
          include: HTTP,
          exclude: [INSTALLED, ...SLOW],
        },
      },
      {
        extends: true,
        test: {
          name: 'slow',
          include: SLOW,
          exclude: [INSTALLED],
          globalSetup: ['test/support/build.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
