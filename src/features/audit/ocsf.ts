/**
 * Events in the schema of OCSF, which systems that collect security events read.
 *
 * @see https://schema.ocsf.io/1.3.0/
 */
import type { ShownEvent } from '../../core/audit/read.ts';

const ACCOUNT_CHANGE = 3001;
const AUTHENTICATION = 3002;
const ENTITY_MANAGEMENT = 3004;
const OTHER = 99;

/** By the name of the event: its class and activity. */
const ACTIVITIES: Readonly<Record<string, readonly [number, number]>> = {
  'user.registered': [ACCOUNT_CHANGE, 1],
  'user.created': [ACCOUNT_CHANGE, 1],
  'user.migrated': [ACCOUNT_CHANGE, 1],
  'user.enabled': [ACCOUNT_CHANGE, 2],
  'password.changed': [ACCOUNT_CHANGE, 3],
  'password.reset': [ACCOUNT_CHANGE, 4],
  'password.reset_started': [ACCOUNT_CHANGE, 4],
  'user.disabled': [ACCOUNT_CHANGE, 5],
  'user.deleted': [ACCOUNT_CHANGE, 6],
  'factor.added': [ACCOUNT_CHANGE, 10],
  'factor.removed': [ACCOUNT_CHANGE, 11],
  'factor.all_removed': [ACCOUNT_CHANGE, 11],
  'sign_in.succeeded': [AUTHENTICATION, 1],
  'sign_in.failed': [AUTHENTICATION, 1],
  'sign_in.challenged': [AUTHENTICATION, 1],
  'second_factor.failed': [AUTHENTICATION, 1],
  'session.ended': [AUTHENTICATION, 2],
  'user.signed_out': [AUTHENTICATION, 2],
  'api_key.created': [ENTITY_MANAGEMENT, 1],
  'signing_key.rotated': [ENTITY_MANAGEMENT, 1],
  'user.exported': [ENTITY_MANAGEMENT, 2],
  'api_key.revoked': [ENTITY_MANAGEMENT, 4],
};

function activityOf({ event, user }: ShownEvent): readonly [number, number] {
  const known = Object.hasOwn(ACTIVITIES, event) ? ACTIVITIES[event] : undefined;
  if (known !== undefined) return known;
  if (/^(?:sign_in|second_factor|session|refresh_token|passkey)\./.test(event))
    return [AUTHENTICATION, OTHER];
  return [user === null ? ENTITY_MANAGEMENT : ACCOUNT_CHANGE, OTHER];
}

/** What the class demands about whom or what the event is. */
function subjectOf(event: ShownEvent, classId: number) {
  if (classId === ENTITY_MANAGEMENT) {
    const { 'api_key.subject': key, kid } = event.details;
    const uid = [key, kid].find((value) => typeof value === 'string');
    const [type = 'event'] = event.event.split('.');
    return { entity: { type, ...(uid === undefined ? { name: type } : { uid }) } };
  }
  const name = event.personal?.name ?? undefined;
  if (event.user === null) return { user: { name: name ?? 'unknown', type_id: 0 } };
  return { user: { uid: event.user, type_id: 1, ...(name === undefined ? {} : { name }) } };
}

function actorOf({ actor }: ShownEvent) {
  const { kind, id, name } = actor;
  const who = { ...(id === null ? {} : { uid: id }), ...(name === null ? {} : { name }) };
  if (kind === 'api_key') return { actor: { app_name: name ?? id ?? 'unknown', app_uid: id } };
  return Object.keys(who).length === 0 ? {} : { actor: { user: { ...who, type: kind } } };
}

/** An event as an object of OCSF 1.3; `issuer` names the service. */
export function ocsfEvent(event: ShownEvent, issuer: string): Record<string, unknown> {
  const [classId, activity] = activityOf(event);
  const isFailure = event.outcome === 'failure';
  const { amr } = event.details;
  const reason = event.details['reason'] ?? event.details['error.type'];
  const { ip, userAgent } = event.personal ?? {};
  return {
    category_uid: 3,
    class_uid: classId,
    activity_id: activity,
    type_uid: classId * 100 + activity,
    time: event.at,
    severity_id: isFailure ? 2 : 1,
    status_id: isFailure ? 2 : 1,
    ...(typeof reason === 'string' ? { status_detail: reason } : {}),
    message: event.event,
    metadata: {
      version: '1.3.0',
      uid: event.id,
      event_code: event.event,
      product: { name: 'postern', vendor_name: 'postern' },
    },
    ...subjectOf(event, classId),
    ...actorOf(event),
    ...(ip == null ? {} : { src_endpoint: { ip } }),
    ...(event.request === null
      ? {}
      : {
          http_request: {
            uid: event.request,
            ...(userAgent == null ? {} : { user_agent: userAgent }),
          },
        }),
    ...(event.session === null ? {} : { session: { uid: event.session } }),
    ...(classId === AUTHENTICATION
      ? {
          service: { name: issuer },
          is_remote: true,
          ...(Array.isArray(amr) ? { is_mfa: amr.includes('mfa') } : {}),
        }
      : {}),
    unmapped: { details: event.details, outcome: event.outcome },
  };
}
