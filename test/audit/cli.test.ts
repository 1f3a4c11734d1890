/** The verbs of the audit log, and its checkpoints and proofs as somebody else checks them. */
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../cli/run.ts';
import type { Run } from '../cli/run.ts';
import { createAdminRig } from '../admin/rig.ts';
import type { AdminRig } from '../admin/rig.ts';

const KEY = randomBytes(32);

let rig: AdminRig;
let userId: string;
beforeAll(async () => {
  rig = await createAdminRig({ keyEncryptionKey: KEY });
  userId = (await rig.app.register('ada')).userId;
  await rig.app.login('ada');
  await rig.app.login('ada', 'not the password of ada');
  await rig.app.notes.flush();
  await rig.app.sealAudit.seal();
});
afterAll(() => rig.stop());

const postern = (args: string): Promise<Run> =>
  run(args, {
    env: {
      POSTERN_DATABASE_URL: `file:${join(rig.app.directory, 'postern.db')}`,
      POSTERN_SERVER_PUBLIC_URL: rig.app.kernel.issuer,
      POSTERN_SECRETS_KEY_ENCRYPTION_KEY: KEY.toString('base64'),
      POSTERN_MAIL_TRANSPORTS: 'file',
      POSTERN_MAIL_VERIFY_URL: 'https://app.example.com/verify',
      POSTERN_MAIL_RESET_URL: 'https://app.example.com/reset',
      SUDO_USER: 'olga',
    },
    clock: rig.app.clock,
  });

const sha256 = (...parts: readonly Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

/** Checks a signed note as c2sp.org/signed-note says it. @returns its lines */
function checkedNote(note: string, verifierKey: string): string[] {
  const [name = '', id = '', encoded = ''] = verifierKey.split('+', 3);
  const rest = verifierKey.slice(name.length + id.length + 2);
  const key = Buffer.from(rest === '' ? encoded : rest, 'base64');
  const text = note.slice(0, note.indexOf('\n\n') + 1);
  const line = note.split('\n').find((one) => one.startsWith('\u2014 ')) ?? '';
  const signature = Buffer.from(line.split(' ')[2] ?? '', 'base64');
  expect(signature.subarray(0, 4).toString('hex')).toBe(id);
  expect(
    sha256(Buffer.from(`${name}\n`), key)
      .subarray(0, 4)
      .toString('hex'),
  ).toBe(id);
  const publicKey = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: key.subarray(1).toString('base64url') },
    format: 'jwk',
  });
  expect(verify(null, Buffer.from(text), publicKey, signature.subarray(4))).toBe(true);
  return text.split('\n');
}

/** RFC 9162 §2.1.3.2. */
function rootFrom(leaf: Buffer, index: number, size: number, path: readonly Buffer[]): Buffer {
  let [fn, sn, root] = [index, size - 1, leaf];
  for (const node of path) {
    const isRight = fn % 2 === 1 || fn === sn;
    root = isRight ? sha256(Buffer.of(1), node, root) : sha256(Buffer.of(1), root, node);
    while (isRight && fn % 2 === 0 && fn !== 0) [fn, sn] = [fn >> 1, sn >> 1];
    [fn, sn] = [fn >> 1, sn >> 1];
  }
  return root;
}

describe('postern audit', () => {
  test('list says who did what to whom, newest first', async () => {
    const { stdout, stderr } = await postern('audit list');
    const [newest = '', ...others] = stdout.trim().split('\n');
    expect(stderr).toBe('');
    expect(newest).toContain('failure  sign_in.failed');
    expect(newest).toContain(`user ${userId}  from 127.0.0.1`);
    expect(others.at(-2)).toContain('user.registered');
    const lines = (await postern('audit list --json --event sign_in.succeeded')).stdout.trim();
    expect(lines.split('\n').map((line) => JSON.parse(line))).toMatchObject([
      { event: 'sign_in.succeeded', user_id: userId, outcome: 'success', name: 'ada' },
      { event: 'sign_in.succeeded', user_id: userId },
    ]);
    expect((await postern('audit list --since soon')).code).toBe(2);
    expect((await postern('audit list --limit 0')).code).toBe(2);
  });

  test("an operator's act has the name of the system's user", async () => {
    await postern('user unlock ada');
    const { stdout } = await postern('audit list --json --limit 1');
    expect(JSON.parse(stdout)).toMatchObject({
      event: 'user.unlocked',
      actor: { kind: 'operator', name: 'olga' },
      user_id: userId,
    });
  });

  test('checkpoint and key are what others check; the API gives the same', async () => {
    const key = (await postern('audit key')).stdout.trim();
    const note = (await postern('audit checkpoint')).stdout;
    const [origin, size] = checkedNote(note, key);
    expect([origin, size]).toEqual(['auth.example.com/audit', '6']);
    const { body } = await rig.admin('GET', '/admin/audit/checkpoint');
    expect(body).toMatchObject({ size: 6, note, key });
  });

  test('prove gives a path that leads from the event to the signed root', async () => {
    const { body } = await rig.admin('GET', '/admin/events?event=user.registered');
    const proof = JSON.parse((await postern(`audit prove ${body.events[0].id}`)).stdout);
    const key = (await postern('audit key')).stdout.trim();
    const [, size = '', root = ''] = checkedNote(proof.note, key);
    const leaf = sha256(Buffer.of(0), Buffer.from(proof.data));
    const path = proof.path.map((node: string) => Buffer.from(node, 'base64'));
    expect(rootFrom(leaf, proof.index, Number(size), path).toString('base64')).toBe(root);
    expect(JSON.parse(proof.data).id).toBe(body.events[0].id);
    expect((await postern('audit prove nothing')).code).toBe(1);
  });

  test('export as OCSF: class, activity, user, source', async () => {
    const { stdout } = await postern('audit export --format ocsf');
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const signIn = events.find(({ message }) => message === 'sign_in.failed');
    expect(signIn).toMatchObject({
      category_uid: 3,
      class_uid: 3002,
      activity_id: 1,
      type_uid: 300_201,
      status_id: 2,
      user: { uid: userId },
      src_endpoint: { ip: '127.0.0.1' },
      service: { name: rig.app.kernel.issuer },
    });
    for (const { class_uid: id, activity_id: activity, type_uid: type, ...event } of events) {
      expect(type).toBe(id * 100 + activity);
      expect(event.metadata.version).toBe('1.3.0');
      expect(id === 3004 ? event.entity : event.user).toBeDefined();
    }
    expect((await postern('audit export --format xml')).code).toBe(2);
  });

  test('verify: right; against a kept note; and after somebody has changed a row, not right', async () => {
    const note = join(rig.app.directory, 'kept.note');
    writeFileSync(note, (await postern('audit checkpoint')).stdout);
    const right = await postern(`audit verify --since ${note}`);
    expect([right.code, right.stdout]).toEqual([0, expect.stringMatching(/^right: \d+ events/)]);
    const db = new Libsql(join(rig.app.directory, 'postern.db'));
    db.exec(`UPDATE audit_event SET data = replace(data, 'pwd', 'otp') WHERE seq = 3`);
    db.close();
    const wrong = await postern('audit verify');
    expect([wrong.code, wrong.stdout]).toEqual([1, expect.stringContaining('NOT RIGHT')]);
    expect(JSON.parse((await postern('audit verify --json')).stdout)).toMatchObject({ ok: false });
    writeFileSync(note, 'nothing');
    const none = await postern(`audit verify --since ${note}`);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('is no checkpoint')]);
  });
});
