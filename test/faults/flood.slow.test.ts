/**
 * Strangers from ever new networks leave a bounded number of rows, in short; the long form is
 * `npm run test:flood`.
 */
import { expect, test } from 'vitest';
import { CHEAP } from '../support/program.mjs';
import { flood } from './flood.mjs';

test('L08: the rows that a flood leaves are bounded by the limits, from any number of networks', async () => {
  const caps = { pending: 20, requested: 60 };
  const { rows, statuses } = await flood({ seconds: 100, most: 400, caps, env: CHEAP });
  // More came than may stay, and what came too much was refused.
  expect(statuses[503]).toBeGreaterThan(0);
  expect(Object.keys(statuses).sort()).not.toContain('500');
  // A registration that waits, a reset of a name that may be nobody's, and their emails.
  expect(rows['one_time']).toBeLessThanOrEqual(caps.pending + caps.requested);
  expect(rows['outbox']).toBeLessThanOrEqual(caps.requested);
  expect(rows['challenge']).toBe(0);
});
