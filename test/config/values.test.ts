/** How single values are read: durations, sizes, listeners, URLs, addresses, origins. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readListenAddress } from '../../src/config/listen-address.ts';
import { readAddressRange, readDatabaseUrl, readPublicUrl } from '../../src/config/urls.ts';
import { formatDuration, parseDuration } from '../../src/lib/duration.ts';
import { isLoopbackHost, readOrigin } from '../../src/lib/origin.ts';
import { formatSize, parseSize } from '../../src/lib/size.ts';
import { parse } from './given.ts';

const taken = (reading: object): boolean => 'value' in reading;

describe('durations and sizes', () => {
  it.each([
    ['250ms', 250],
    ['0s', 0],
    ['30s', 30_000],
    ['15m', 900_000],
    ['12h', 43_200_000],
    ['90d', 7_776_000_000],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
    expect(formatDuration(ms)).toBe(text);
  });

  it.each([
    ['0B', 0],
    ['64KiB', 65_536],
    ['19MiB', 19_922_944],
    ['1GiB', 1_073_741_824],
    ['1500B', 1500],
  ])('%s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
    expect(formatSize(bytes)).toBe(text);
  });

  it.each([
    '',
    '15',
    '15 m',
    '-1m',
    '1.5h',
    '1e3s',
    '15min',
    '1w',
    '15M',
    ' 15m',
    '15m\n',
    '999999999999999d',
    '٣m',
  ])('%j is no duration', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it.each(['', '64', '64KB', '64 KiB', '64kib', '1TiB', '-1B', '999999999999999GiB'])(
    '%j is no size',
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );

  it('what is formatted reads back the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000_000_000 }), (count) => {
        expect(parseDuration(formatDuration(count))).toBe(count);
        expect(parseSize(formatSize(count))).toBe(count);
      }),
    );
  });
});

describe('listeners', () => {
  it.each([
    ['tcp://127.0.0.1:7400', { kind: 'tcp', host: '127.0.0.1', port: 7400 }],
    ['tcp://[::1]:0', { kind: 'tcp', host: '::1', port: 0 }],
    ['tcp://auth.internal:65535', { kind: 'tcp', host: 'auth.internal', port: 65_535 }],
    ['unix:/run/postern.sock', { kind: 'unix', path: '/run/postern.sock', mode: 0o660 }],
    [
      'unix:/run/p.sock?mode=0600&group=www-data',
      { kind: 'unix', path: '/run/p.sock', mode: 0o600, group: 'www-data' },
    ],
    ['systemd:', { kind: 'systemd' }],
  ])('%s', (text, expected) => {
    expect(readListenAddress(text)).toEqual({ value: expected });
  });

  it.each([
    '',
    '7400',
    'tcp://',
    'tcp://:7400',
    'tcp://::1:7400',
    'tcp://[127.0.0.1]:1',
    'tcp://1.2.3:1',
    'tcp://1.2.3.4.5:1',
    'tcp://a:65536',
    'tcp://a:-1',
    'tcp://a:1/',
    'tcp://a b:1',
    'tcp://u@a:1',
    'http://127.0.0.1:1',
    'unix:',
    'unix://run/p',
    'unix:/p?mode=0888',
    'unix:/p?mode=4660',
    'unix:/p?owner=x',
    'unix:/p?mode=0660&mode=0666',
    'unix:/p?group=../x',
    'unix:/p?group=',
    `unix:/${'x'.repeat(107)}`,
    'systemd:x',
  ])('%j is none', (text) => {
    expect(taken(readListenAddress(text))).toBe(false);
  });
});

describe('the public URL', () => {
  it.each([
    'https://auth.example.com',
    'https://auth.example.com/postern',
    'http://127.0.0.1:7400',
    'https://[2001:db8::1]:8443',
    'https://xn--bcher-kva.example',
  ])('%s', (text) => {
    expect(readPublicUrl(text)).toEqual({ value: text });
  });

  it.each([
    '',
    'auth.example.com',
    'https://',
    'https://auth.example.com/',
    'https://auth.example.com/a/',
    'https://auth.example.com?x',
    'https://auth.example.com#',
    'https://u:p@auth.example.com',
    'https://Auth.example.com',
    'https://auth.example.com:443',
    'https://bücher.example',
    'ftp://a.example',
    'javascript:alert(1)',
    'https://a.example/../b',
    'https://a.example/b c',
    ' https://a.example',
  ])('%j is none', (text) => {
    expect(taken(readPublicUrl(text))).toBe(false);
  });

  it.each([
    ['[]', '', 'http://127.0.0.1:7400'],
    ['tcp://[::1]:81', 'tcp://127.0.0.1:82', 'http://[::1]:81'],
    ['unix:/p', 'tcp://localhost:80', 'http://localhost'],
  ])('by default is that of the first TCP listener: %s %s', (first, second, expected) => {
    const toml = first === '[]' ? '' : `[server]\nlisten = ["${first}", "${second}"]`;
    expect(parse(toml).config.server.public_url).toBe(expected);
  });
});

describe('other texts', () => {
  it.each([
    'file:./data/postern.db',
    'file:/var/lib/postern.db',
    'libsql://db.turso.io',
    'http://127.0.0.1:8080',
  ])('database %s', (text) => {
    expect(taken(readDatabaseUrl(text))).toBe(true);
  });

  it.each([
    '',
    'data.db',
    'file:',
    'file::memory:',
    'file:a?mode=ro',
    'libsql://',
    'libsql://h?authToken=x',
    'libsql://u:p@h',
    'postgres://h/db',
    ':memory:',
  ])('no database: %j', (text) => {
    expect(taken(readDatabaseUrl(text))).toBe(false);
  });

  it.each(['10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', '192.0.2.1/32'])('proxy %s', (text) => {
    expect(taken(readAddressRange(text))).toBe(true);
  });

  it.each([
    '',
    '10.0.0',
    '10.0.0.0/33',
    '::/129',
    '0.0.0.0/0',
    '::/0',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
    'proxy.internal',
    '010.0.0.1',
  ])('no proxy: %j', (text) => {
    expect(taken(readAddressRange(text))).toBe(false);
  });

  it.each(['https://app.example.com', 'http://localhost:3000', 'https://app.example.com:8443'])(
    'origin %s',
    (text) => {
      expect(taken(readOrigin(text))).toBe(true);
    },
  );

  it.each([
    '',
    '*',
    'null',
    'app.example.com',
    'https://app.example.com/',
    'https://app.example.com:443',
    'https://APP.example.com',
    'https://u@app.example.com',
    'https://*.example.com',
    'file:///x',
  ])('no origin: %j', (text) => {
    expect(taken(readOrigin(text))).toBe(false);
  });

  it.each([
    ['localhost', true],
    ['app.localhost', true],
    ['127.8.0.1', true],
    ['[::1]', true],
    ['127.0.0.1.example.com', false],
    ['localhost.example.com', false],
    ['10.0.0.1', false],
    ['[::2]', false],
    ['0.0.0.0', false],
  ])('loopback %s: %s', (host, expected) => {
    expect(isLoopbackHost(host)).toBe(expected);
  });
});
