/**
 * Emails as .eml files in a private folder: for a first try without a mail server, and for tests.
 */
import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { composeReadableEmail } from './message.ts';
import type { Sender } from './message.ts';
import { DeliveryError } from './transport.ts';
import type { OutgoingEmail, Transport } from './transport.ts';

export function folderTransport({
  dir,
  from,
}: {
  readonly dir: string;
  readonly from: Sender;
}): Transport {
  const pathOf = ({ id }: OutgoingEmail): string => join(dir, `${id}.eml`);

  /** Writes and flushes the whole email under a temporary name first. */
  const write = async (email: OutgoingEmail): Promise<string> => {
    const message = await composeReadableEmail(email, from);
    const path = `${pathOf(email)}.part`;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile(message);
      await file.sync();
    } finally {
      await file.close();
    }
    return path;
  };
  const explained = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
      throw new DeliveryError(`${dir} can't be written (${code})`, 'transient', { cause });
    }
  };
  return {
    name: 'file',
    send: (email) => explained(async () => rename(await write(email), pathOf(email))),
    rehearse: (email) => explained(async () => unlink(await write(email))),
    close: () => undefined,
  };
}
