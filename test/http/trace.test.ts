/** The caller's trace in the log (W3C Trace Context). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTrace } from '../../src/http/trace.ts';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

test('its ids are on every line of the request', async () => {
  const { username } = await app.register();
  const from = app.log.length;
  await app.call('POST', '/login', {
    body: { username, password: 'wrong' },
    headers: { traceparent: `00-${TRACE}-${SPAN}-01` },
  });
  const lines = app.log.slice(from);
  expect(lines.map(({ event }) => event)).toEqual(['sign_in.failed', 'http.request']);
  for (const line of lines)
    expect(line).toMatchObject({ trace_id: TRACE, span_id: SPAN, trace_flags: '01' });
});

test('without one, no line has any', async () => {
  const from = app.log.length;
  await app.call('GET', '/keys/none.pem');
  expect(app.log.slice(from).every((line) => !('trace_id' in line))).toBe(true);
});

test.each([
  ['nothing', ''],
  ['no ids', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ['an unknown version', `ff-${TRACE}-${SPAN}-01`],
  ['more than version 00 has', `00-${TRACE}-${SPAN}-01-more`],
  ['a quote', `00-${TRACE}-${SPAN}-0"`],
  ['a line end', `00-${TRACE}-${SPAN}-01\n`],
  ['kilobytes', `01-${TRACE}-${SPAN}-01-${'x'.repeat(9_000)}`],
])('%s is no trace', (_, header) => expect(readTrace(header)).toBeUndefined());

test('a later version is read as far as 00 goes', () =>
  expect(readTrace(`01-${TRACE}-${SPAN}-01-more`)).toEqual({
    trace_id: TRACE,
    span_id: SPAN,
    trace_flags: '01',
  }));
