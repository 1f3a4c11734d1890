/**
 * The client's address (ASVS 4.1.3, 15.3.4): forgeable by nobody but those whom the operator
 * trusts.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addressReader, canonicalAddress } from '../../src/http/requester.ts';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { request, sendRaw } from '../support/raw.ts';

describe('one spelling of an address', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['0000:0000:0000:0000:0000:ffff:c000:0201', '192.0.2.1'],
    ['[::ffff:192.0.2.1]', '192.0.2.1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['::', '::'],
  ])('%s is %s', (given, expected) => expect(canonicalAddress(given)).toBe(expected));

  test.each([
    '',
    ' ',
    'unknown',
    '192.0.2',
    '192.0.2.256',
    '192.0.2.1:80',
    '192.0.2.1/32',
    '0x7f.0.0.1',
    '010.0.0.1',
    '::g',
    ':::',
    '[::1',
    '::1]',
    '[::1]:80',
    '_hidden',
    'localhost',
    '127.1',
    '2130706433',
    '192.0.2.1\0',
    '１92.0.2.1',
    '1.1.1.1 2.2.2.2',
  ])('%j is none', (given) => expect(canonicalAddress(given)).toBeNull());
});

describe('X-Forwarded-For', () => {
  const of = addressReader(['10.0.0.0/8', '192.0.2.7', '2001:db8:1::/48', '127.0.0.1']);
  const none = addressReader([]);

  test.each<readonly [why: string, peer: string, forwarded: string | undefined, expected: string]>([
    ['an untrusted peer says what it likes', '198.51.100.1', '1.1.1.1', '198.51.100.1'],
    ['an untrusted peer names a trusted one', '198.51.100.1', '10.0.0.1', '198.51.100.1'],
    ['a trusted peer that says nothing', '10.0.0.1', undefined, '10.0.0.1'],
    ['a trusted peer', '10.0.0.1', '198.51.100.9', '198.51.100.9'],
    ['a trusted peer in IPv6 dress', '::ffff:10.0.0.1', '198.51.100.9', '198.51.100.9'],
    ['a client in IPv6 dress', '10.0.0.1', '::ffff:198.51.100.9', '198.51.100.9'],
    ['a forged beginning is not reached', '10.0.0.1', '1.1.1.1, 198.51.100.9', '198.51.100.9'],
    [
      'a forged trusted hop is not reached',
      '10.0.0.1',
      '1.1.1.1, 10.0.0.5, 198.51.100.9',
      '198.51.100.9',
    ],
    [
      'trusted hops are walked over from the right',
      '10.0.0.1',
      '198.51.100.9, 192.0.2.7, 10.9.9.9',
      '198.51.100.9',
    ],
    ['all hops trusted: the first', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['an IPv6 proxy', '2001:db8:1::5', '2001:DB8:2:0::9', '2001:db8:2::9'],
    ['tabs and spaces', '10.0.0.1', ' \t198.51.100.9\t ', '198.51.100.9'],
    ['malformed: the peer', '10.0.0.1', 'unknown', '10.0.0.1'],
    ['empty: the peer', '10.0.0.1', '', '10.0.0.1'],
    ['an empty end: the peer', '10.0.0.1', '198.51.100.9,', '10.0.0.1'],
    ['a port', '10.0.0.1', '198.51.100.9:443', '198.51.100.9'],
    ['a port of IPv6', '10.0.0.1', '[2001:db8::9]:443', '2001:db8::9'],
    ['a port that is none: the peer', '10.0.0.1', '198.51.100.9:', '10.0.0.1'],
    ['malformed beyond a trusted hop: that hop', '10.0.0.1', 'unknown, 10.0.0.2', '10.0.0.2'],
    [
      'however much a caller wrote before it: the client',
      '10.0.0.1',
      `${Array.from({ length: 400 }, () => '1.1.1.1').join()},198.51.100.9,10.0.0.2`,
      '198.51.100.9',
    ],
  ])('%s', (_, peer, forwarded, expected) => expect(of(peer, false, forwarded)).toBe(expected));

  test('nobody is trusted by default, loopback included', () => {
    for (const peer of ['127.0.0.1', '::1', '10.0.0.1', '::ffff:127.0.0.1'])
      expect(none(peer, false, '1.1.1.1')).toBe(canonicalAddress(peer));
  });

  test('over a Unix socket the proxy in front is believed, and without its word the address is unknown', () => {
    expect(none(undefined, true, undefined)).toBeNull();
    expect(none(undefined, true, '198.51.100.9')).toBe('198.51.100.9');
    expect(none(undefined, true, '1.1.1.1, 198.51.100.9')).toBe('198.51.100.9');
    expect(none(undefined, true, 'unknown')).toBeNull();
  });

  test('what one request said is not what the next one is', () => {
    expect(of('10.0.0.1', false, '198.51.100.1')).toBe('198.51.100.1');
    expect(of('10.0.0.1', false, undefined)).toBe('10.0.0.1');
    expect(of('198.51.100.7', false, undefined)).toBe('198.51.100.7');
    expect(of(undefined, false, undefined)).toBeNull();
    expect(of('198.51.100.7', false, undefined)).toBe('198.51.100.7');
  });
});

describe('over HTTP, as GET /me/sessions shows it', () => {
  let direct: TestApp;
  let behind: TestApp;
  beforeAll(async () => {
    direct = await createTestApp();
    behind = await createTestApp({
      config: '[server]\ntrusted_proxies = ["127.0.0.1", "10.0.0.0/8"]\n',
    });
  });
  afterAll(async () => {
    await direct.stop();
    await behind.stop();
  });

  let names = 0;
  async function ipOf(target: TestApp, headers: readonly string[]): Promise<string | null> {
    const body = JSON.stringify({
      username: `ip-${++names}`,
      password: 'correct horse battery staple',
    });
    const { replies } = await sendRaw(
      target.url,
      request('POST /register', [
        ...headers,
        'Content-Type: application/json',
        `Content-Length: ${body.length}`,
      ]) + body,
      { replies: 1 },
    );
    const { access_token: token } = JSON.parse(replies[0]?.body ?? '{}');
    return (await target.call('GET', '/me/sessions', { token })).body.sessions[0].ip;
  }

  test('a client that comes directly is its peer, whatever it says', async () => {
    for (const name of [
      'X-Forwarded-For',
      'X-Real-IP',
      'Forwarded',
      'X-Client-IP',
      'CF-Connecting-IP',
      'True-Client-IP',
      'X-Forwarded',
      'Via',
    ]) {
      expect([
        name,
        await ipOf(direct, [`${name}: ${name === 'Forwarded' ? 'for=1.1.1.1' : '1.1.1.1'}`]),
      ]).toEqual([name, '127.0.0.1']);
    }
  });

  test('behind a proxy it is who the proxy says, by X-Forwarded-For alone', async () => {
    expect(await ipOf(behind, ['X-Forwarded-For: 198.51.100.9'])).toBe('198.51.100.9');
    expect(await ipOf(behind, ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 198.51.100.9'])).toBe(
      '198.51.100.9',
    );
    expect(await ipOf(behind, ['X-Forwarded-For: 198.51.100.9', 'X-Forwarded-For: 10.1.1.1'])).toBe(
      '198.51.100.9',
    );
    expect(await ipOf(behind, ['X-Forwarded-For: ::ffff:198.51.100.9'])).toBe('198.51.100.9');
    expect(await ipOf(behind, ['X-Forwarded-For: nonsense'])).toBe('127.0.0.1');
    expect(await ipOf(behind, ['X-Real-IP: 1.1.1.1', 'Forwarded: for=1.1.1.1'])).toBe('127.0.0.1');
    expect(await ipOf(behind, [])).toBe('127.0.0.1');
  });
});
