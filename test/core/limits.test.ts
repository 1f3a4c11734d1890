/** Shares of clients: what passes, what waits, who shares with whom, and what is remembered. */
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { createLimits } from '../../src/core/limit/limits.ts';
import type { LimitedClient, Limits } from '../../src/core/limit/limits.ts';
import { parseRate } from '../../src/lib/rate.ts';

const at = (ip: string | null): LimitedClient => ({ kind: 'network', requester: { ip } });

function limits(text: string, entries = 1_000): { limits: Limits; pass(ms: number): void } {
  let now = 1_000_000;
  const rate = parseRate(text);
  if (rate === undefined) throw new Error(text);
  const rates = {
    login: rate,
    register: rate,
    emails: 'off',
    refresh: rate,
    token: rate,
    check: rate,
    reset: rate,
  } as const;
  return {
    limits: createLimits({ now: () => 0, monotonic: () => now }, { rates, entries }),
    pass: (ms) => {
      now += ms;
    },
  };
}

describe('a share', () => {
  test('may be used at once, refills evenly, and says how long to wait', () => {
    const { limits: own, pass } = limits('6/1m');
    const take = () => own.take('login', at('192.0.2.1'));
    for (let left = 5; left >= 0; left--) {
      expect(take()).toMatchObject({ remaining: left, retryAfterSeconds: null });
    }
    expect(take()).toMatchObject({ remaining: 0, retryAfterSeconds: 10 });
    pass(9_000);
    expect(take()?.retryAfterSeconds).toBe(1);
    pass(1_000);
    expect(take()?.retryAfterSeconds).toBeNull();
    expect(take()?.retryAfterSeconds).toBe(10);
    pass(3_600_000);
    expect(take()).toMatchObject({ remaining: 5, resetSeconds: 10 });
  });

  test('what is refused takes nothing: who keeps asking is not kept waiting', () => {
    const { limits: own, pass } = limits('1/10s');
    own.take('login', at('192.0.2.1'));
    for (let i = 0; i < 100; i++) own.take('login', at('192.0.2.1'));
    pass(10_000);
    expect(own.take('login', at('192.0.2.1'))?.retryAfterSeconds).toBeNull();
  });

  test('demand refuses with rate_limited and the seconds to wait', () => {
    const { limits: own } = limits('1/10s');
    own.demand('login', at('192.0.2.1'));
    expect(() => own.demand('login', at('192.0.2.1'))).toThrow(
      expect.objectContaining({ code: 'rate_limited', options: { retryAfterSeconds: 10 } }),
    );
  });

  test('never more than the rate allows in any window, whenever requests come', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5_000), { maxLength: 200 }), (gaps) => {
        const { limits: own, pass } = limits('5/10s');
        let now = 0;
        const passed: number[] = [];
        for (const gap of gaps) {
          pass(gap);
          now += gap;
          if (own.take('login', at('192.0.2.1'))?.retryAfterSeconds === null) passed.push(now);
        }
        // A whole share at once, and what refilled meanwhile.
        return passed.every((start, index) => {
          const within = passed.slice(index).filter((time) => time - start <= 10_000);
          return within.length <= 10;
        });
      }),
    );
  });
});

describe('who shares', () => {
  test.each<[string, LimitedClient, LimitedClient, boolean]>([
    ['one IPv4 address', at('192.0.2.1'), at('192.0.2.1'), true],
    ['two IPv4 addresses', at('192.0.2.1'), at('192.0.2.2'), false],
    ['two addresses of one /64', at('2001:db8::1'), at('2001:db8:0:0:ffff::2'), true],
    ['two /64 of one /48', at('2001:db8::1'), at('2001:db8:0:1::1'), false],
    ['all unknown addresses', at(null), at(null), true],
    ['a session and its network', at('192.0.2.1'), { kind: 'session', id: 'a' }, false],
    [
      'a session and a key of one id',
      { kind: 'api_key', id: 'a' },
      { kind: 'session', id: 'a' },
      false,
    ],
  ])('%s', (_, one, other, isShared) => {
    const { limits: own } = limits('1/1m');
    own.take('login', one);
    expect(own.take('login', other)?.retryAfterSeconds !== null).toBe(isShared);
    expect(own.take('check', one)?.retryAfterSeconds).toBeNull();
  });

  test('an IPv6 /48 has sixteen shares, however many /64 it has', () => {
    const { limits: own } = limits('2/1m');
    let passed = 0;
    for (let net = 0; net < 100; net++) {
      const state = own.take('login', at(`2001:db8:0:${net.toString(16)}::1`));
      if (state?.retryAfterSeconds === null) passed++;
    }
    expect(passed).toBe(32);
    expect(own.take('login', at('2001:db8:1::1'))?.retryAfterSeconds).toBeNull();
  });

  test('L05: memory is bounded; the client that was away longest is forgotten', () => {
    const { limits: own } = limits('1/1h', 1_000);
    own.take('login', at('192.0.2.1'));
    for (let i = 0; i < 100_000; i++) {
      own.take('login', at(`10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`));
    }
    expect(own.take('login', at('192.0.2.1'))?.retryAfterSeconds).toBeNull();
  });

  test('off is no limit', () => {
    const { limits: own } = limits('1/1h');
    expect(own.take('emails', at('192.0.2.1'))).toBeNull();
  });
});

describe('rates as they are written', () => {
  test.each([
    ['30/1m', { count: 30, periodMs: 60_000 }],
    ['1/1d', { count: 1, periodMs: 86_400_000 }],
    ['off', 'off'],
    ['0/1m', undefined],
    ['30', undefined],
    ['30/m', undefined],
    ['30/999ms', undefined],
    ['30/2d', undefined],
    ['30 / 1m', undefined],
    ['Off', undefined],
  ])('%s', (text, rate) => expect(parseRate(text)).toEqual(rate));
});
