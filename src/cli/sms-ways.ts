/** The configured transports of text messages, in order. */
import { dirname, join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { databaseFile } from '../db/open.ts';
import { folderTransport } from '../delivery/folder.ts';
import { gatewayTransport } from '../delivery/sms-gateway.ts';
import type { OutgoingSms, Transport } from '../delivery/transport.ts';
import { smsWebhookTransport } from '../delivery/webhook.ts';
import type { Clock } from '../lib/clock.ts';

type Way = Config['sms']['transports'][number];

/** The folder for messages: the configured one, else beside the database. */
function smsFolder(config: Config): string {
  const configured = config['sms.file'].dir;
  if (configured !== undefined) return configured;
  const database = databaseFile(config.database.url);
  return database === null ? 'sms' : join(dirname(database), 'sms');
}

const waysOf = ({ sms }: Config): readonly Way[] =>
  sms.transports.length === 0 ? ['file'] : sms.transports;

export function smsTransports(config: Config, clock: Clock): readonly Transport<OutgoingSms>[] {
  return waysOf(config).map((way) => transportOf(way, config, clock));
}

function transportOf(way: Way, config: Config, clock: Clock): Transport<OutgoingSms> {
  switch (way) {
    case 'webhook': {
      const { url = '', secret = '' } = config['sms.webhook'];
      return smsWebhookTransport({ url, secret, clock });
    }
    case 'gateway':
      return gatewayTransport({ ...config['sms.gateway'], url: config['sms.gateway'].url ?? '' });
    case 'file':
      return folderTransport({
        dir: smsFolder(config),
        ending: '.txt',
        content: ({ to, text }) => `To: ${to}\n\n${text}\n`,
      });
  }
}

/** The transports as printed at the start; none where no messages are sent. */
export function describeSms(config: Config): readonly string[] {
  if (config.sms.countries.length === 0) return [];
  const described: Readonly<Record<Way, string>> = {
    webhook: config['sms.webhook'].url ?? '',
    gateway: config['sms.gateway'].url ?? '',
    file: `${smsFolder(config)}/*.txt`,
  };
  const ways = waysOf(config).map((way) => described[way]);
  return [ways.join(', ')];
}
