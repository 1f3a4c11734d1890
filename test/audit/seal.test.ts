/** Sealing, verifying, pruning: what was done to the rows is found. */
import Libsql from 'libsql';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createCheckpointKey, readNote } from '../../src/crypto/checkpoint-note.ts';
import { auditAfter } from '../../src/core/audit/read.ts';
import { verifyAudit } from '../../src/core/audit/verify.ts';
import { createTestApp, tidy } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';

const apps: TestApp[] = [];
afterEach(async () => {
  for (const app of apps.splice(0)) await app.stop();
});

/** An app with some rows, of which the first are sealed. */
async function sealed(options: Parameters<typeof createTestApp>[0] = {}) {
  const app = await createTestApp(options);
  apps.push(app);
  const key = createCheckpointKey(app.kernel.signingKeys.derivedKey, app.kernel.issuer);
  await app.register('one');
  await app.register('two');
  await app.sealAudit.seal();
  const note = app.log.findLast(({ event }) => event === 'audit.sealed')?.note ?? '';
  const read = readNote(note, key.verifierKey);
  if (read.kind !== 'valid') throw new Error(`a note that is ${read.kind}`);
  return { app, key, note, since: read.checkpoint };
}

/** Another program's changes to the file. */
function tamper(app: TestApp, ...statements: readonly string[]): void {
  const db = new Libsql(join(app.directory, 'postern.db'));
  for (const statement of statements) db.exec(statement);
  db.close();
}

describe('A16: what was done to the rows', () => {
  test('nothing: everything is right, and what came since is not sealed', async () => {
    const { app, since } = await sealed();
    await app.register('three');
    expect(await verifyAudit(app.db, { since })).toEqual({
      size: 6,
      pruned: 0,
      checkpoints: 1,
      unsealed: 2,
      faults: [],
    });
  });

  const DELETED = 'DELETE FROM audit_event WHERE seq = 2';
  test.each([
    [
      'changed',
      [`UPDATE audit_event SET data = replace(data, 'registered', 'updated') WHERE seq = 1`],
    ],
    ['removed', [DELETED]],
    [
      'removed, with another one in its place',
      [DELETED, `INSERT INTO audit_event(seq, data) SELECT 2, data FROM audit_event WHERE seq = 3`],
    ],
    [
      'inserted',
      [
        'UPDATE audit_event SET seq = 9 WHERE seq = 4',
        'INSERT INTO audit_event(seq, data) SELECT 4, data FROM audit_event WHERE seq = 1',
      ],
    ],
    [
      'moved',
      [
        'UPDATE audit_event SET seq = 9 WHERE seq = 1',
        'UPDATE audit_event SET seq = 1 WHERE seq = 2',
        'UPDATE audit_event SET seq = 2 WHERE seq = 9',
      ],
    ],
  ])('%s: found', async (_, statements) => {
    const { app } = await sealed();
    tamper(app, ...statements);
    const { faults } = await verifyAudit(app.db, {});
    expect(faults).not.toEqual([]);
  });

  test('another address or name in the personal part: found', async () => {
    const { app } = await sealed();
    tamper(app, `UPDATE audit_event SET personal = replace(personal, '127.0.0.1', '192.0.2.1')`);
    const { faults } = await verifyAudit(app.db, {});
    expect(faults[0]).toContain('the personal part of row 1');
  });

  test('a tail cut off, with its checkpoints: found by a note that was kept elsewhere', async () => {
    const { app, since } = await sealed();
    tamper(app, 'DELETE FROM audit_event WHERE seq > 2');
    expect((await verifyAudit(app.db, {})).faults[0]).toContain('the last are missing');
    tamper(app, 'DELETE FROM audit_checkpoint');
    expect((await verifyAudit(app.db, {})).faults).toEqual([]);
    expect((await verifyAudit(app.db, { since })).faults[0]).toContain('the note has 4 rows');
  });

  test('everything sealed again by who has the keys: found by the note', async () => {
    const { app, since } = await sealed();
    tamper(app, DELETED, 'DELETE FROM audit_checkpoint');
    await app.register('three');
    await app.sealAudit.seal();
    expect((await verifyAudit(app.db, {})).faults).toEqual([]);
    expect((await verifyAudit(app.db, { since })).faults).toEqual([
      'the rows up to number 4 are not those of the note',
    ]);
  });
});

describe('a person is erased', () => {
  test('and the tree holds', async () => {
    const { app, since } = await sealed();
    const user = await app.register('gone');
    await app.call('DELETE', '/me', { token: user.access });
    const rows = await auditAfter(app.db, 0, 100);
    expect(
      rows.filter(({ data }) => data.includes(user.userId)).map(({ personal }) => personal),
    ).toEqual([null, null, null]);
    expect((await verifyAudit(app.db, { since })).faults).toEqual([]);
  });
});

describe('retention', () => {
  test('prunes what is old and sealed; the rest still verifies, against a note of before too', async () => {
    const { app, since } = await sealed({ config: '[audit]\nretention = "30d"\n' });
    app.clock.advance(31 * 86_400_000);
    await app.register('three');
    await app.sealAudit.run();
    const rows = await auditAfter(app.db, 0, 100);
    expect(rows).toHaveLength(2);
    const verified = await verifyAudit(app.db, { since });
    expect(verified).toMatchObject({ size: 6, pruned: 4, faults: [] });
    tamper(app, `UPDATE audit_event SET data = replace(data, 'registered', 'updated')`);
    expect((await verifyAudit(app.db, {})).faults).not.toEqual([]);
  });

  test('what is not sealed yet is not pruned', async () => {
    const { app } = await sealed();
    const before = (await auditAfter(app.db, 0, 100)).length;
    app.clock.advance(401 * 86_400_000);
    await app.sealAudit.run();
    expect((await auditAfter(app.db, 0, 100)).length).toBe(0);
    expect((await verifyAudit(app.db, {})).pruned).toBe(before);
  });
});

describe('checkpoints', () => {
  test('come every minute, or after a thousand events; none without anything new', async () => {
    const { app } = await sealed();
    const count = () => app.log.filter(({ event }) => event === 'audit.sealed').length;
    await app.register('three');
    await app.sealAudit.run();
    expect(count()).toBe(1);
    app.clock.advance(60_000);
    await app.sealAudit.run();
    expect(count()).toBe(2);
    app.clock.advance(60_000);
    await app.sealAudit.run();
    expect(count()).toBe(2);
  });

  test('of each day but the last week, one is kept', async () => {
    const { app } = await sealed();
    for (let day = 0; day < 12; day++) {
      app.clock.advance(86_400_000);
      for (const half of ['a', 'b']) {
        await app.register(`user-${day}${half}`);
        await app.sealAudit.seal();
        app.clock.advance(1);
      }
    }
    await tidy(app);
    const { checkpoints, faults } = await verifyAudit(app.db, {});
    expect(faults).toEqual([]);
    expect(checkpoints).toBeLessThan(25 - 4);
    expect(checkpoints).toBeGreaterThan(14);
  });

  test('a note is signed, of one log, and by one key', async () => {
    const { app, key, note } = await sealed();
    expect(note).toMatch(
      /^auth\.example\.com\/audit\n4\n[A-Za-z0-9+/]{43}=\n\n\u2014 auth\.example\.com\/audit [A-Za-z0-9+/=]+\n$/u,
    );
    expect(readNote(note.replace('\n4\n', '\n5\n'), key.verifierKey).kind).toBe('forged');
    const other = createCheckpointKey(app.kernel.signingKeys.derivedKey, 'https://other.example');
    expect(readNote(note, other.verifierKey).kind).toBe('other_key');
    expect(readNote('x', key.verifierKey).kind).toBe('malformed');
  });
});
