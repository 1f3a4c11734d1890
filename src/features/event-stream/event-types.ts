/**
 * Which recorded events are told, and as what: event types of CAEP and RISC where one fits, else
 * one of this issuer.
 *
 * @see https://openid.net/specs/openid-caep-1_0-final.html
 * @see https://openid.net/specs/openid-risc-1_0-final.html
 */
import type { EventName } from './config.ts';
import type { RecordedEvent } from './recorded-event.ts';

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';

/** What is told of one recorded event. */
export interface ToldEvent {
  /** The last part of the URI; what the setting `events` names. */
  readonly name: EventName;
  readonly uri: (issuer: string) => string;
  /** Whether the subject is the session of the user, not the user alone. */
  readonly isOfSession: boolean;
  readonly members: (event: RecordedEvent) => Readonly<Record<string, unknown>>;
}

type Members = ToldEvent['members'];

const nothing: Members = () => ({});

const caep = (name: EventName, members: Members = nothing): ToldEvent => ({
  name,
  uri: () => `${CAEP}${name}`,
  isOfSession: name.startsWith('session-'),
  members: (event) => ({
    event_timestamp: Math.floor(event.at / 1000),
    initiating_entity: event.actor,
    ...members(event),
  }),
});

const risc = (name: EventName): ToldEvent => ({
  name,
  uri: () => `${RISC}${name}`,
  isOfSession: false,
  members: nothing,
});

/** Types that no specification has: their URIs belong to the issuer. */
const own = (name: EventName): ToldEvent => ({
  name,
  uri: (issuer) => `${issuer}/event-types/${name}`,
  isOfSession: false,
  members: nothing,
});

/** CAEP's names for kinds of credentials, and ours where it has none. */
const CREDENTIALS: Readonly<Record<string, string>> = {
  totp: 'app',
  passkey: 'fido2-roaming',
  phone: 'phone-sms',
};

const credential =
  (change: 'create' | 'update' | 'delete'): Members =>
  ({ factor }) => ({
    credential_type: CREDENTIALS[factor ?? ''] ?? factor ?? 'unknown',
    change_type: change,
  });

const password: Members = () => ({ credential_type: 'password', change_type: 'update' });
const credentialChange = (members: Members) => caep('credential-change', members);
const reason: Members = (event) =>
  event.reason === null ? {} : { reason_admin: { en: event.reason } };

/** By the name in the log. */
const TOLD: Readonly<Record<string, ToldEvent>> = {
  'user.registered': own('account-created'),
  'user.created': own('account-created'),
  'user.migrated': own('account-created'),
  'user.updated': own('account-updated'),
  'user.changed': own('account-updated'),
  'email.verified': own('email-verified'),
  'email.set': own('email-changed'),
  'user.deleted': risc('account-purged'),
  'user.disabled': risc('account-disabled'),
  'user.enabled': risc('account-enabled'),
  'user.signed_out': { ...caep('session-revoked', reason), isOfSession: false },
  'session.ended': caep('session-revoked', reason),
  'refresh_token.reused': caep('session-revoked', reason),
  'sign_in.succeeded': caep('session-established'),
  'session.reauthenticated': caep('session-presented'),
  'password.changed': credentialChange(password),
  'password.reset': credentialChange(password),
  'password.expired': risc('account-credential-change-required'),
  'password.reset_started': risc('recovery-activated'),
  'factor.added': credentialChange(credential('create')),
  'factor.renewed': credentialChange(credential('update')),
  'factor.removed': credentialChange(credential('delete')),
  'factor.all_removed': credentialChange(() => ({
    credential_type: 'all',
    change_type: 'delete',
  })),
};

/** What is told of an event; undefined if it is about no account, or about nothing that others need. */
export function toldOf(event: RecordedEvent): ToldEvent | undefined {
  if (event.userId === null) return undefined;
  return Object.hasOwn(TOLD, event.event) ? TOLD[event.event] : undefined;
}
