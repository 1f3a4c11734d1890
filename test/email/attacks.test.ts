/** What an attacker would try on letters, codes and addresses. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findUserById } from '../../src/core/user/user.ts';
import { renderEmail } from '../../src/delivery/templates.ts';
import { PASSWORD, createTestApp, operator } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { claimAll } from '../support/claim-all.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.stop());

const MINUTE = 60_000;
const NEW = 'an entirely other passphrase';
let counter = 0;
const newAddress = (): string => `target${++counter}@example.com`;
const begin = (email: string) =>
  app.call('POST', '/register', { body: { email, password: PASSWORD } });
const verify = (registration_id: string, code: unknown) =>
  app.call('POST', '/register/verify', { body: { registration_id, code } });
const forgot = (username: string) => app.call('POST', '/password/forgot', { body: { username } });
const rows = (sql: string): Promise<unknown[]> =>
  app.db.read({ sql, params: [], map: (r) => r.map((c) => c[0]), returns: true });
const write = (sql: string): Promise<unknown> =>
  app.db.write([{ sql, params: [], map: () => [], returns: false }]);

async function provedUser(
  address = newAddress(),
): Promise<{ address: string; access: string; id: string }> {
  const { body } = await begin(address);
  const made = await verify(body.registration_id, (await app.emails(address))[0]?.values['code']);
  return { address, access: made.body.access_token, id: made.body.user.id };
}

describe('O06: codes of a registration, guessed', () => {
  test('a registration whose email was held back by the limits has no code that could be guessed', async () => {
    const address = newAddress();
    const codes: string[] = [];
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await begin(address)).body.registration_id);
    for (const { values } of await app.emails(address)) codes.push(values['code'] ?? '');
    expect(codes).toHaveLength(1);
    expect(
      await rows(
        `SELECT count(*) FROM one_time WHERE purpose = 'registration' AND subject = '${address}' AND code_hash IS NOT NULL`,
      ),
    ).toEqual([1]);
    // Asked for again when the limits allow, its letter brings a code that is good.
    app.clock.advance(2 * MINUTE);
    await app.call('POST', '/register/resend', { body: { registration_id: ids[2] } });
    expect(
      (await verify(ids[2] ?? '', (await app.emails(address))[0]?.values['code'])).status,
    ).toBe(201);
  });

  test('over many registrations of one address the guesses are counted together, and the link still makes the account', async () => {
    const address = newAddress();
    const checked = vi.spyOn(app.kernel.passwordHasher, 'verify');
    for (let round = 0; round < 6; round++) {
      const { body } = await begin(address);
      await Promise.all(Array.from({ length: 6 }, () => verify(body.registration_id, 'wrong!')));
      app.clock.advance(61_000);
    }
    const looked = checked.mock.calls.filter(([stored]) => stored !== null).length;
    checked.mockRestore();
    expect(looked).toBeGreaterThanOrEqual(10);
    expect(looked).toBeLessThanOrEqual(15);
    const { body } = await verify('no-such-registration', '000000');
    expect(body.code).toBe('invalid_code');
    const link = (await app.emails(address))[0]?.values['link'] ?? '';
    const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
    expect(
      (await app.call('POST', '/register/verify', { body: { token, password: PASSWORD } })).status,
    ).toBe(201);
  });
});

describe('E03: answers of the same work', () => {
  test('a name whose limit of emails is reached costs a commit like any other: time does not link a username to an address', async () => {
    const { address } = await provedUser();
    const commits = async (name: string): Promise<number> => {
      const write = vi.spyOn(app.db, 'write');
      await forgot(name);
      const results = await Promise.allSettled(
        write.mock.results.map(({ value }) => value as Promise<unknown>),
      );
      write.mockRestore();
      return results.filter(({ status }) => status === 'fulfilled').length;
    };
    expect(await commits(address)).toBe(1);
    expect(await commits(address)).toBe(1);
    expect(await commits(newAddress())).toBe(1);
  });

  test('an unknown name is looked up in all the places where a known one is', async () => {
    const { address } = await provedUser();
    const reads = async (name: string): Promise<number> => {
      const read = vi.spyOn(app.db, 'read');
      await app.login(name, 'wrong wrong wrong wrong');
      const { length } = read.mock.calls;
      read.mockRestore();
      return length;
    };
    // The watch over other processes reads now and then: the fewest of some tries are the sign-in's
    // own.
    const fewest = async (name: () => string): Promise<number> => {
      let least = Infinity;
      for (let i = 0; i < 4; i++) least = Math.min(least, await reads(name()));
      return least;
    };
    expect(await fewest(newAddress)).toBe(await fewest(() => address));
  });
});

describe('R08: a change of address begun with a stolen session', () => {
  test('is notified to the old address even if the limit of the new one is reached', async () => {
    const victim = await provedUser();
    const thief = await provedUser();
    const next = newAddress();
    await app.call('PATCH', '/me', { token: thief.access, body: { email: next } });
    expect(
      (await app.call('PATCH', '/me', { token: victim.access, body: { email: next } })).status,
    ).toBe(200);
    expect((await app.emails(victim.address)).map(({ template }) => template)).toEqual([
      'address_change_requested',
    ]);
  });

  test('L06: changing the address repeatedly fills no mailbox: the old one is notified at most once a minute', async () => {
    const { address, access } = await provedUser();
    for (let i = 0; i < 6; i++) {
      await forgot(address);
      app.clock.advance(61_000);
    }
    await app.emails(address);
    const { body } = await app.login(address);
    expect(access).toBeTruthy();
    const patch = (): Promise<unknown> =>
      app.call('PATCH', '/me', { token: body.access_token, body: { email: newAddress() } });
    await Promise.all(Array.from({ length: 10 }, patch));
    expect((await app.emails(address)).map(({ template }) => template)).toEqual([
      'address_change_requested',
    ]);
    app.clock.advance(61_000);
    await patch();
    expect((await app.emails(address)).map(({ template }) => template)).toEqual([
      'address_change_requested',
    ]);
  });

  test.each(['reset', 'change'] as const)(
    'is over with a new password (%s): no code goes there any more',
    async (way) => {
      const { address, access, id } = await provedUser();
      const next = newAddress();
      await app.call('PATCH', '/me', { token: access, body: { email: next } });
      await app.emails(next);
      if (way === 'reset') {
        await forgot(address);
        const token = (await app.emails(address)).find(
          ({ template }) => template === 'reset_password',
        )?.values['token'];
        expect(
          (await app.call('POST', '/password/reset', { body: { token, password: NEW } })).status,
        ).toBe(204);
      } else {
        expect(
          (
            await app.call('POST', '/me/password', {
              token: access,
              body: { current_password: PASSWORD, new_password: NEW },
            })
          ).status,
        ).toBe(204);
      }
      expect((await findUserById(app.db, id))?.pendingEmail).toBeNull();
      app.clock.advance(2 * MINUTE);
      const { body } = await app.login(address, NEW);
      expect(
        (await app.call('POST', '/email/verify/resend', { token: body.access_token })).status,
      ).toBe(202);
      expect(await app.emails(next)).toEqual([]);
    },
  );
});

describe('R01: a password that is right at the wrong moment', () => {
  test('a reset_token is not made out of a password that was replaced while it was being looked at', async () => {
    const { id } = await provedUser();
    await app.kernel.accountState.expirePassword(operator, id);
    const before = await findUserById(app.db, id);
    if (before === null) throw new Error('no user');
    await write(`UPDATE "user" SET epoch = epoch + 1 WHERE id = '${id}'`);
    const late = app.kernel.authentication.completeFactor(operator, {
      factor: 'password',
      kind: 'knowledge',
      amr: ['pwd'],
      user: before,
      effects: [],
    });
    await expect(late).rejects.toMatchObject({ code: 'invalid_credentials' });
    expect(
      await rows(
        `SELECT count(*) FROM one_time WHERE user_id = '${id}' AND purpose = 'password_reset' AND spent_at IS NULL`,
      ),
    ).toEqual([0]);
  });
});

describe('the outbox, changed by somebody who can write the file', () => {
  const pending = async (): Promise<string> => {
    const { address, id } = await provedUser();
    await forgot(address);
    return id;
  };

  test('ASVS 11.3.3: an email whose content was altered is not sent and delays no other', async () => {
    await pending();
    const other = newAddress();
    await write(
      `UPDATE outbox SET payload_sealed = substr(payload_sealed, 1, length(payload_sealed) - 4) || 'AAAA', next_at = 0 WHERE state = 'pending'`,
    );
    await begin(other);
    expect((await app.emails(other)).map(({ template }) => template)).toEqual([
      'verify_registration',
    ]);
    expect(await rows(`SELECT last_error FROM outbox WHERE state = 'dead'`)).toEqual([
      'its content could not be opened',
    ]);
    await write(`DELETE FROM outbox WHERE state = 'dead'`);
  });

  test.each([
    ['another recipient', `recipient = 'eve@example.com'`],
    ['another letter', `letter = 'address_changed'`],
    ['a letter that there is not', `letter = 'no_such_letter'`],
  ])('%s: it goes to nobody', async (_, change) => {
    await pending();
    await write(`UPDATE outbox SET ${change} WHERE state = 'pending'`);
    expect(await claimAll(app, 1_000)).toEqual([]);
    await write(`DELETE FROM outbox WHERE state = 'dead'`);
  });
});

describe('the recipient of an email', () => {
  test('H11: to the domain that was compared, however it was typed', async () => {
    for (const [typed, canonical] of [
      ['ada1@EXAMPLE.com', 'ada1@example.com'],
      ['ada2@bücher.example', 'ada2@xn--bcher-kva.example'],
      ['Ada3@BÜCHER.example', 'Ada3@xn--bcher-kva.example'],
      ['ada4@xn--bcher-kva.example', 'ada4@xn--bcher-kva.example'],
    ] as const) {
      expect((await begin(typed)).status).toBe(202);
      expect((await app.emails(canonical)).map(({ template }) => template)).toEqual([
        'verify_registration',
      ]);
    }
  });

  test.each([
    'a@b.io,c@d.io',
    // What mapping would repair into another domain than the one that is seen.
    'a@ＥＸＡＭＰＬＥ.com',
    'a@EXAMPLE。com',
    'a@ⓔxample.com',
    'a@ex\u00adample.com',
    'a@exa\u034fmple.com',
    'a@exampl\u2091.com',
    // What old mail programs would send elsewhere, or take for an option.
    'a%b.io@c.io',
    'a!b@c.io',
    '-a@c.io',
    '=?x?=@c.io',
    'a@b.io;c@d.io',
    '"x y"@b.io',
    'a@[127.0.0.1]',
    'a@b@c.io',
    'group: a@b.io;',
    'a@b.io>',
    '<a@b.io>',
    'a@b.io\r\nBcc: c@d.io',
    'a@b.io%0d%0aBcc: c@d.io',
    'a@b.io\u0085',
    'a@b.io\u2028',
    `${'l'.repeat(65)}@b.io`,
    'a@b',
    'a@-b.io',
  ])('H10, H11: %j is no address, and no letter is written', async (email) => {
    const { status } = await begin(email);
    expect(status).toBe(422);
    expect(await rows(`SELECT count(*) FROM outbox WHERE recipient LIKE '%b.io%'`)).toEqual([0]);
  });
});

describe('H12: the operator’s own email templates', () => {
  test('a text without its HTML is escaped, in words and values alike, and looked at once', () => {
    const find = () => ({ text: 'Subject: Hi\n\n1 < 2 & {{new_address}}\n\n{{link}}', html: null });
    const { html, text } = renderEmail(
      'test',
      { new_address: `{{link}}<b>'&`, link: 'https://a.example/#token=x&y' },
      'postern',
      find,
    );
    expect(text).toBe(`1 < 2 & {{link}}<b>'&\n\nhttps://a.example/#token=x&y\n`);
    expect(html).toContain('>1 &#60; 2 &#38; {{link}}&#60;b&#62;&#39;&#38;</p>');
    expect(html).toContain(' href="https://a.example/#token=x&#38;y"');
  });
});
