/** What hostile bodies cost (H04, G3). */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { expectWithin } from '../support/best.ts';
import { goodBody, hostileBodies } from './bodies.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
  for (let i = 0; i < 5; i++) await send(goodBody);
});
afterAll(() => app.stop());

const send = (raw: string | Uint8Array) => app.call('POST', '/login', { raw });

test.each(hostileBodies)('%s is refused within 50 ms', (name, raw) =>
  expectWithin(50, () => send(raw), name),
);

test('none of them holds up the event loop for 50 ms', async () => {
  let best = Infinity;
  // A machine that does other things too is no fault of ours: the best of some rounds counts.
  for (let round = 0; round < 40 && best >= 50; round++) {
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    for (const [, raw] of hostileBodies) await send(raw);
    delay.disable();
    best = Math.min(best, delay.percentile(99) / 1e6);
  }
  expect(best).toBeLessThan(50);
});
