/** Messages as files in a private folder: for a first try without a provider, and for tests. */
import { mkdir, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DeliveryError } from './transport.ts';
import type { Transport } from './transport.ts';

export interface FolderOptions<Message> {
  readonly dir: string;
  /** With its dot. */
  readonly ending: string;
  content(message: Message): Buffer | string | Promise<Buffer | string>;
}

export function folderTransport<Message extends { readonly id: string }>({
  dir,
  ending,
  content,
}: FolderOptions<Message>): Transport<Message> {
  const pathOf = ({ id }: Message): string => join(dir, `${id}${ending}`);

  /** Writes and flushes the whole message under a temporary name first. */
  const write = async (message: Message): Promise<string> => {
    const written = await content(message);
    const path = `${pathOf(message)}.part`;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile(written);
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
    send: (message) => explained(async () => rename(await write(message), pathOf(message))),
    rehearse: (message) => explained(async () => unlink(await write(message))),
    close: () => undefined,
  };
}
