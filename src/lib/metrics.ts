/**
 * The list of metrics, from which docs/metrics.md is generated, and the functions by which the
 * program reports them. Labels come from closed lists: never an id, address, name or path.
 */

export interface MetricMeaning {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly sentence: string;
  /** Each label with its values, or their source. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

const HTTP_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const HASH_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const WAIT_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const COMMIT_SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];

export const METRICS = {
  http_server_request_duration_seconds: {
    type: 'histogram',
    sentence: 'Time from the request’s head to its answer; its count is the number of requests.',
    labels: {
      http_request_method: 'a known method, or `_OTHER`',
      http_route: 'the template of a route; empty if none matched',
      http_response_status_code: 'the status; 499 if the client had disconnected',
    },
    buckets: HTTP_SECONDS,
  },
  postern_sign_ins_total: {
    type: 'counter',
    sentence: 'Steps of sign-ins.',
    labels: {
      factor: 'the name of a factor',
      outcome: '`succeeded`, `challenged` (a second factor is due), `refused`, `throttled`',
    },
  },
  postern_refreshes_total: {
    type: 'counter',
    sentence: 'Uses of refresh tokens.',
    labels: { outcome: '`rotated`, `grace`, `reused` (the session was ended), `refused`' },
  },
  postern_verifications_total: {
    type: 'counter',
    sentence: 'Verifications of access tokens.',
    labels: {
      endpoint: '`forward_auth` (GET /verify), `verify` (POST /verify)',
      outcome: '`valid`, `invalid`, `expired`, `revoked`',
      cache: '`hit`, `miss`, `none` (no token was checked)',
    },
  },
  postern_password_hash_duration_seconds: {
    type: 'histogram',
    sentence: 'Time of one argon2 computation in its lane.',
    labels: { algorithm: '`argon2id`' },
    buckets: HASH_SECONDS,
  },
  postern_hash_queue_depth: { type: 'gauge', sentence: 'Computations that wait for a lane.' },
  postern_hash_queue_wait_seconds: {
    type: 'histogram',
    sentence: 'How long a computation waited for a lane.',
    buckets: WAIT_SECONDS,
  },
  postern_hash_rejected_total: {
    type: 'counter',
    sentence: 'Computations that were refused with 503.',
    labels: { reason: '`queue_full`, `account_full`, `deadline`, `closed`' },
  },
  postern_throttled_total: {
    type: 'counter',
    sentence: 'Attempts that were refused because a limit was reached.',
    labels: { rule: 'the purpose of an attempt counter' },
  },
  postern_outbox_messages: {
    type: 'gauge',
    sentence: 'Emails that wait or were given up.',
    labels: { state: '`pending`, `dead`' },
  },
  postern_outbox_oldest_age_seconds: {
    type: 'gauge',
    sentence: 'How long the oldest waiting email has waited; 0 if none waits.',
  },
  postern_deliveries_total: {
    type: 'counter',
    sentence: 'Attempts to send an email or a text message.',
    labels: { channel: '`email`, `sms`', outcome: '`sent`, `delayed`, `dead`' },
  },
  postern_sms_denied_total: {
    type: 'counter',
    sentence: 'Text messages that were not sent because of a limit.',
    labels: {
      rule: '`number`, `account`, `network_hour`, `network_day`, `network_countries`, `country_hour`, `country_day`, `total`',
    },
  },
  postern_db_commit_duration_seconds: {
    type: 'histogram',
    sentence: 'Time of one commit, with its flush to the disk.',
    buckets: COMMIT_SECONDS,
  },
  postern_db_commit_statements: {
    type: 'histogram',
    sentence: 'Statements that shared one commit.',
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  },
  postern_sessions_active: {
    type: 'gauge',
    sentence: 'Sessions that have not ended; counted at most once a minute.',
  },
  postern_signing_key_expiry_timestamp_seconds: {
    type: 'gauge',
    sentence: 'When the key that signs access tokens is due to be replaced; 0 under HS256.',
  },
  postern_backup_last_success_timestamp_seconds: {
    type: 'gauge',
    sentence: 'When `postern backup` last wrote a backup of this database; 0 if never.',
  },
  postern_build_info: {
    type: 'gauge',
    sentence: 'Always 1.',
    labels: { version: 'of postern', node: 'of Node' },
  },
} as const satisfies Readonly<Record<string, MetricMeaning>>;

export type MetricName = keyof typeof METRICS;

/** Counts the verifications of one endpoint. */
export interface VerificationCounter {
  /** Called by the verifier before the outcome is known. */
  looked(cache: 'hit' | 'miss'): void;
  ended(outcome: 'valid' | 'invalid' | 'expired' | 'revoked'): void;
}

/** The reporting interface; each call costs less than a microsecond. Times are milliseconds. */
export interface Metrics {
  request(route: string, method: string, status: number, durationMs: number): void;
  signIn(factor: string, outcome: 'succeeded' | 'challenged' | 'refused' | 'throttled'): void;
  refresh(outcome: 'rotated' | 'grace' | 'reused' | 'refused'): void;
  verifications(endpoint: 'forward_auth' | 'verify'): VerificationCounter;
  passwordHash(times: { readonly waitMs: number; readonly runMs: number }): void;
  throttled(rule: string): void;
  delivery(channel: 'email' | 'sms', outcome: 'sent' | 'delayed' | 'dead'): void;
  smsDenied(rule: string): void;
  commit(commit: { readonly statements: number; readonly durationMs: number }): void;
}

const nothing = (): void => undefined;

/** Used when metrics are off. */
export const NO_METRICS: Metrics = {
  request: nothing,
  signIn: nothing,
  refresh: nothing,
  verifications: () => ({ looked: nothing, ended: nothing }),
  passwordHash: nothing,
  throttled: nothing,
  delivery: nothing,
  smsDenied: nothing,
  commit: nothing,
};
