/** What docs/adding.md asks of a table and of a route, so that forgetting it fails. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config:
      '[otp]\nlink = true\n[otp.email]\nenabled = true\n[sms]\ncountries = ["DE"]\ntransports = ["file"]\n[otp.sms]\nenabled = true\n',
  });
});
afterAll(() => app.stop());

const texts = async (sql: string): Promise<string[]> => {
  const map = (rows: readonly (readonly unknown[])[]) => rows.map((row) => String(row[0]));
  return await app.db.read({ sql, params: [], map, returns: true });
};

/** Tables whose expired rows are removed by something other than a sweep, and by what. */
const NOT_SWEPT: Readonly<Record<string, string>> = {};

test('every table with a time of expiry has a sweep', async () => {
  const tables =
    await texts(`SELECT DISTINCT m.name FROM sqlite_master m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND c.name LIKE '%expires_at'`);
  expect(tables.length).toBeGreaterThan(5);
  const swept = app.sweeps.map(({ sweep }) => sweep({ before: 0, batch: 1 }).sql);
  const isSwept = (table: string) => swept.some((sql) => sql.startsWith(`delete from "${table}"`));
  expect(tables.filter((table) => !isSwept(table) && !(table in NOT_SWEPT))).toEqual([]);
});

/** Routes that anybody may call and that need no limit of their own, and why. */
const UNLIMITED: Readonly<Record<string, string>> = {
  'POST /logout': 'ends a session by its token; an unknown token costs one HMAC',
  'POST /verify': 'checks a signature, and is what sibling services call for each request',
  'POST /refresh': 'an unknown token costs one HMAC, and each session has its own',
};

test('every public route that does work has a limit per client', () => {
  const open = app.routes.flatMap((route) =>
    route.kind === 'operation' &&
    route.security === 'public' &&
    route.method !== 'get' &&
    route.limit === undefined
      ? [`${route.method.toUpperCase()} ${route.path}`]
      : [],
  );
  expect(open.sort()).toEqual(Object.keys(UNLIMITED).sort());
});

/** Changes that leave what a known device may do as it is, and why. */
const KEEPS_DEVICE: Readonly<Record<string, string>> = {
  'DELETE /me': 'the account is gone',
  'PATCH /me': 'an address counts once its code was sent back; a name is no credential',
  'POST /me/passkeys/options': 'nothing is stored',
  'POST /me/phone': 'the number counts once its code was sent back',
  'POST /me/totp': 'the seed counts once its first code was sent back',
};

test('every route that ends the other sessions gives this device a new token', () => {
  const fresh = app.routes.flatMap((route) =>
    route.kind === 'operation' &&
    route.security !== 'public' &&
    route.security.scheme === 'bearer' &&
    route.security.fresh === true &&
    route.renewsDevice === undefined
      ? [`${route.method.toUpperCase()} ${route.path}`]
      : [],
  );
  expect(fresh.sort()).toEqual(Object.keys(KEEPS_DEVICE).sort());
});
