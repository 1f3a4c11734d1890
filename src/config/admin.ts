/** The `[admin]` section. */
import { boolean, duration, list, section } from '../lib/setting.ts';
import { readOwnListenAddress } from './listen-address.ts';

export const adminSection = section('Administration over HTTP (docs/administration.md).', {
  enabled: boolean({
    sentence: 'Whether /admin is answered, to API keys of the scope admin alone.',
    default: false,
  }),
  listen: list({
    sentence: 'Addresses on which /admin is answered, and nothing else; then not on server.listen.',
    default: [],
    unit: '"tcp://127.0.0.1:7402" or "unix:/path?mode=0660&group=name"',
    read: readOwnListenAddress,
  }),
  invitation_ttl: duration({
    sentence: 'How long the link of an invitation is valid.',
    default: '3d',
    min: '10m',
    max: '30d',
  }),
});
