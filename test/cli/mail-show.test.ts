/** `postern mail show`: what was written to the folder, with its link. */
import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { folderTransport } from '../../src/delivery/eml-folder.ts';
import { renderEmail } from '../../src/delivery/templates.ts';
import { newDirectory } from '../support/process.ts';
import { run } from './run.ts';

const LINK = `https://app.example.com/reset#token=${'aB3_-'.repeat(9)}`;
let env: Record<string, string>;
const at = (dir: string) => ({ POSTERN_MAIL_FILE_DIR: dir });

beforeAll(async () => {
  const dir = newDirectory();
  env = at(dir);
  const transport = folderTransport({ dir, from: { address: 'auth@example.com', name: 'x' } });
  const send = async (id: string, template: 'verify_address' | 'reset_password', time: number) => {
    const values = {
      code: '7KQM2X',
      code_minutes: '10',
      link: LINK,
      link_minutes: '60',
      token: 'T',
    };
    const rendered = renderEmail(template, values, 'Müller', () => null);
    await transport.send({ id, template, to: 'ada@example.com', values, ...rendered });
    utimesSync(join(dir, `${id}.eml`), time, time);
  };
  await send('01b2', 'reset_password', 1_795_608_001);
  await send('01a1', 'verify_address', 1_795_608_000);
});

describe('mail show', () => {
  it('has a line for each email, the newest last', async () => {
    expect(await run('mail show', { env })).toEqual({
      code: 0,
      stdout:
        '01a1  2026-11-25T12:00:00Z  ada@example.com  Your code for Müller: 7KQM2X\n01b2  2026-11-25T12:00:01Z  ada@example.com  Reset your password at Müller\n',
      stderr: '',
    });
  });

  it('--last shows the newest, and its link in a line of its own', async () => {
    const { stdout } = await run('mail show --last', { env });
    expect(stdout).toMatch(/^To: ada@example\.com\nSubject: Reset your password at Müller\n\n/);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(`link  ${LINK}`);
  });

  it('shows one by its id, or as JSON', async () => {
    expect((await run('mail show 01a1', { env })).stdout).toContain('\n7KQM2X\n');
    const { stdout } = await run('mail show 01b2 --json', { env });
    expect(JSON.parse(stdout)).toMatchObject({
      id: '01b2',
      written_at: '2026-11-25T12:00:01.000Z',
      to: 'ada@example.com',
      subject: 'Reset your password at Müller',
      link: LINK,
    });
  });

  it('says where it looked when there is none', async () => {
    const { code, stderr } = await run('mail show --last', { env: at('/no/such') });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^\/no\/such has no such email\. /)]);
  });
});
