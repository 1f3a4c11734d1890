/**
 * Emails as .eml files in a private folder: for a first try without a mail server, and for tests.
 */
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from './smtp.ts';
import type { Sender } from './smtp.ts';
import { DeliveryError } from './transport.ts';
import type { Transport } from './transport.ts';

export function folderTransport(options: {
  readonly dir: string;
  readonly from: Sender;
}): Transport {
  return {
    name: 'file',
    send: async (email) => {
      const { createTransport } = await import('nodemailer');
      const composer = createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
      const { message } = await composer.sendMail(messageOf(email, options.from));
      const path = join(options.dir, `${email.id}.eml`);
      try {
        await mkdir(options.dir, { recursive: true, mode: 0o700 });
        const file = await open(`${path}.part`, 'w', 0o600);
        try {
          await file.writeFile(Buffer.isBuffer(message) ? message : String(message));
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(`${path}.part`, path);
      } catch (cause) {
        const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown';
        throw new DeliveryError(`${options.dir} can't be written (${code})`, 'transient', {
          cause,
        });
      }
    },
    close: () => undefined,
  };
}
