/** What is recorded of refusals, and how much of it strangers can cause. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  MAX_NOTES_OF_NETWORK,
  MAX_NOTES_PER_HOUR,
  createAuditNotes,
} from '../../src/core/audit/notes.ts';
import { createAuditRows } from '../../src/core/audit/audit-row.ts';
import { auditAfter, shownEvent } from '../../src/core/audit/read.ts';
import { createAdminRig } from '../admin/rig.ts';
import type { AdminRig } from '../admin/rig.ts';
import { makeKey } from '../support/api-key.ts';

let rig: AdminRig;
beforeAll(async () => {
  rig = await createAdminRig();
});
afterAll(() => rig.stop());

const recorded = async (event: string) => {
  await rig.app.notes.flush();
  const rows = await auditAfter(rig.app.db, 0, 5_000);
  return rows.map(shownEvent).filter((row) => row.event === event);
};

test('a refused sign-in says whose, from where and why; of an unknown name it says no name', async () => {
  const user = await rig.app.register('ada');
  await rig.app.login('ada', 'wrong horse battery staple');
  await rig.app.login('nobody-of-this-name', 'wrong horse battery staple');
  const [known, unknown] = await recorded('sign_in.failed');
  expect(known).toMatchObject({
    outcome: 'failure',
    user: user.userId,
    details: { factor: 'password', 'error.type': 'invalid_credentials' },
    personal: { ip: '127.0.0.1' },
  });
  expect(unknown).toMatchObject({ outcome: 'failure', user: null });
  expect(JSON.stringify(unknown)).not.toContain('nobody-of-this-name');
});

test('an API key beyond its scopes: 403 and an event', async () => {
  const key = await makeKey(rig.app, 'reader', { scopes: ['introspect'] });
  const reply = await rig.app.call('GET', '/admin/users', {
    headers: { 'postern-key': key.text },
  });
  expect(reply.status).toBe(403);
  const [row] = await recorded('api_key.scope_missing');
  expect(row).toMatchObject({
    outcome: 'failure',
    actor: { kind: 'api_key', id: key.id },
    details: { reason: 'admin' },
  });
});

test('A15: strangers cause a bounded number of rows in an hour; the rest is counted', async () => {
  const { db, clock } = rig.app;
  const { random, newId } = rig.app.kernel;
  const rows = createAuditRows({ clock, random, newId });
  const silent = { write: () => undefined, request: () => undefined, enabled: () => true };
  const { log, notes } = createAuditNotes({ db, clock, rows, log: silent });
  const before = (await auditAfter(db, 0, 10_000)).length;
  const refuse = (address: string) =>
    log.write('info', 'api_key.refused', '', { 'client.address': address, reason: 'unknown' });
  for (let at = 0; at < 1_000; at++) refuse('192.0.2.1');
  await notes.flush();
  expect((await auditAfter(db, 0, 10_000)).length - before).toBe(MAX_NOTES_OF_NETWORK);
  for (let at = 0; at < 5_000; at++) refuse(`10.0.${at >> 8}.${at & 255}`);
  await notes.flush();
  expect((await auditAfter(db, 0, 10_000)).length - before).toBe(MAX_NOTES_PER_HOUR);
  clock.advance(3_600_000);
  refuse('192.0.2.1');
  await notes.flush();
  const last = (await auditAfter(db, 0, 10_000)).map(shownEvent).slice(-2);
  expect(last).toMatchObject([
    {
      event: 'audit.summarised',
      actor: { kind: 'system' },
      details: { reason: 'api_key.refused', count: 6_000 - MAX_NOTES_PER_HOUR },
    },
    { event: 'api_key.refused' },
  ]);
});
