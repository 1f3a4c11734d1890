/** The log on a terminal: a line a request, at most 120 columns, with what happened in it. */
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { terminalLog } from '../../src/cli/terminal-log.ts';
import type { RequestLine } from '../../src/lib/log.ts';

const LINE: RequestLine = {
  requestId: 'r1',
  method: 'POST',
  route: '/login',
  status: 200,
  ip: '127.0.0.1',
  userAgent: 'curl',
  durationMs: 41.26,
};

function terminal() {
  let text = '';
  const stdout = new Writable({
    write: (chunk, _encoding, done) => {
      text += String(chunk);
      done();
    },
  });
  const log = terminalLog(stdout, () => new Date(2026, 10, 26, 9, 5, 7, 80).getTime());
  return { log, lines: () => text.split('\n').slice(0, -1) };
}

test('time, method, template, status, time taken, user and what happened stand in one line', () => {
  const { log, lines } = terminal();
  log.event('info', 'sign_in.succeeded', 'a session was started', {
    request_id: 'r1',
    'user.name': 'ada',
  });
  log.request('info', LINE);
  log.request('info', {
    ...LINE,
    requestId: 'r2',
    route: '/me',
    status: 401,
    problem: 'invalid_token',
  });
  expect(lines()).toEqual([
    '09:05:07.080 POST    /login                           200   41.3 ms  ada  sign_in.succeeded',
    '09:05:07.080 POST    /me                              401   41.3 ms  invalid_token',
  ]);
});

test('no line of a request is longer than 120 columns, nor does a name move the cursor', () => {
  const { log, lines } = terminal();
  log.event('info', 'sign_in.succeeded', '', {
    request_id: 'r1',
    'user.name': '漢\u001b[2J\u202e'.repeat(40),
  });
  log.request('info', { ...LINE, route: '/reauthenticate/passkey/options', durationMs: 123_456.7 });
  const [line = ''] = lines();
  expect(line).toMatch(
    /^09:05:07\.080 POST {4}\/reauthenticate\/passkey\/options  200 123457 ms  漢\\u001b\[2J\\u202e漢/,
  );
  const columns = [...line].reduce((sum, character) => sum + (character === '漢' ? 2 : 1), 0);
  expect([columns <= 120, line.at(-1)]).toEqual([true, '…']);
});

test('a warning has a line of its own, whole; an event of no request too', () => {
  const { log, lines } = terminal();
  const remedy = `${'x'.repeat(150)} server.cors_origins = ["http://localhost:5173"]`;
  log.event('warn', 'cors.refused', remedy, { request_id: 'r1' });
  log.event('info', 'letter.sent', 'an email was sent', { letter: 'verify_address', count: 1 });
  log.event('error', 'request.failed', 'a bug', {
    request_id: 'r1',
    'exception.stacktrace': 'Error: x\n    at y',
  });
  expect(lines()).toEqual([
    `09:05:07.080 warn   cors.refused  ${remedy}`,
    '09:05:07.080 info   letter.sent  an email was sent  letter=verify_address  count=1',
    '09:05:07.080 error  request.failed  a bug',
    'Error: x',
    '    at y',
  ]);
});
