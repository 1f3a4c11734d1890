/** Emails as .eml files in a private folder. */
import { folderTransport as folder } from './folder.ts';
import { composeReadableEmail } from './message.ts';
import type { Sender } from './message.ts';
import type { OutgoingEmail, Transport } from './transport.ts';

export function folderTransport({
  dir,
  from,
}: {
  readonly dir: string;
  readonly from: Sender;
}): Transport {
  const content = (email: OutgoingEmail): Promise<Buffer> => composeReadableEmail(email, from);
  return folder({ dir, ending: '.eml', content });
}
