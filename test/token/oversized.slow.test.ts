/** What oversized and odd tokens cost (J10, J11). */
import { afterAll, beforeAll, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { expectWithin } from '../support/best.ts';
import { oversizedTokens, sendInHeader } from './oversized.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

test.each(oversizedTokens)('%s is refused within 50 ms', async (name, token) => {
  await expectWithin(50, () => sendInHeader(app, token), name);
  await expectWithin(50, () => app.call('POST', '/verify', { body: { token } }), name);
});
