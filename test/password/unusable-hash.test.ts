/** A pepper that is lost or wrong is an error in the log, and not only a flood of wrong passwords. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';

const PEPPERS = [randomBytes(32), randomBytes(32)].map((bytes) => bytes.toString('base64url'));
const withPepper = (index: 0 | 1) => ({ POSTERN_PASSWORD_PEPPER: PEPPERS[index] ?? '' });

test('sign-ins against another pepper are refused, and one error a minute says which setting is missing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-test-'));
  const before = await createTestApp({ directory, env: withPepper(0) });
  const names = await Promise.all([1, 2, 3].map(async () => (await before.register()).username));
  await before.stop();
  const after = await createTestApp({ directory, env: withPepper(1) });
  for (const name of names) expect((await after.login(name)).status).toBe(401);
  expect(after.log.filter(({ event }) => event === 'password.unusable_hash')).toEqual([
    expect.objectContaining({
      level: 'error',
      reason: 'unknown_pepper',
      message: expect.stringContaining('password.previous_peppers'),
    }),
  ]);
  expect((await after.call('GET', '/readyz')).status).toBe(200);
  await after.stop();
  rmSync(directory, { recursive: true });
});
