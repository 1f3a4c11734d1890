/**
 * Metrics for Prometheus, by prom-client, with a registry for each app. Labelled children are
 * cached, because looking one up costs more than counting.
 *
 * @see https://github.com/siimon/prom-client
 */
import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRICS } from '../lib/metrics.ts';
import type { MetricMeaning, MetricName, Metrics } from '../lib/metrics.ts';

/** The gauges that are read when the metrics are requested, besides the counters of the program. */
export interface MetricSources {
  hashQueue(): { readonly depth: number; readonly rejectedBy: Readonly<Record<string, number>> };
  outbox(): Promise<{
    readonly pending: number;
    readonly dead: number;
    readonly oldestAgeMs: number;
  }>;
  activeSessions(): Promise<number>;
  /** Milliseconds; null if there is none. */
  signingKeyExpiry(): number | null;
  lastBackup(): number | null;
}

export interface Prometheus {
  readonly metrics: Metrics;
  readonly contentType: string;
  /** Sets the sources of the gauges, once the app is built. */
  observe(sources: MetricSources): void;
  /** The exposition format; a source that fails leaves its metric unchanged. */
  text(): Promise<string>;
}

export interface PrometheusOptions {
  readonly version: string;
  readonly nodeVersion: string;
  /** Called with the error of a source that failed. */
  readonly onError: (error: unknown) => void;
}

/** Loaded on demand: an app without metrics does not load the library. */
export async function createPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  // CommonJS: when bundled, it has only a default export.
  const { default: client } = await import('prom-client');
  const registry = new client.Registry();
  client.collectDefaultMetrics({ register: registry });
  const made = makeMetrics(client, registry);
  made.gauges.postern_build_info
    .labels({ version: options.version, node: options.nodeVersion })
    .set(1);
  let sources: MetricSources | undefined;
  const refused = new Map<string, number>();

  const collect = async (from: MetricSources): Promise<void> => {
    const { depth, rejectedBy } = from.hashQueue();
    made.gauges.postern_hash_queue_depth.set(depth);
    for (const [reason, count] of Object.entries(rejectedBy)) {
      const before = refused.get(reason) ?? 0;
      // The count dropped: another app counts now.
      made.counters.postern_hash_rejected_total.inc(
        { reason },
        count < before ? count : count - before,
      );
      refused.set(reason, count);
    }
    made.gauges.postern_signing_key_expiry_timestamp_seconds.set(
      (from.signingKeyExpiry() ?? 0) / 1000,
    );
    made.gauges.postern_backup_last_success_timestamp_seconds.set((from.lastBackup() ?? 0) / 1000);
    const { pending, dead, oldestAgeMs } = await from.outbox();
    made.gauges.postern_outbox_messages.set({ state: 'pending' }, pending);
    made.gauges.postern_outbox_messages.set({ state: 'dead' }, dead);
    made.gauges.postern_outbox_oldest_age_seconds.set(oldestAgeMs / 1000);
    made.gauges.postern_sessions_active.set(await from.activeSessions());
  };

  return {
    metrics: reporting(made),
    contentType: registry.contentType,
    observe: (given) => {
      sources = given;
    },
    text: async () => {
      try {
        if (sources !== undefined) await collect(sources);
      } catch (error) {
        options.onError(error);
      }
      return registry.metrics();
    },
  };
}

type NamesOf<Type extends MetricMeaning['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never;
}[MetricName];

interface Made {
  readonly counters: Readonly<Record<NamesOf<'counter'>, Counter>>;
  readonly gauges: Readonly<Record<NamesOf<'gauge'>, Gauge>>;
  readonly histograms: Readonly<Record<NamesOf<'histogram'>, Histogram>>;
}

function makeMetrics(client: typeof import('prom-client'), registry: Registry): Made {
  const optionsOf = (name: MetricName) => {
    const { sentence, labels = {} }: MetricMeaning = METRICS[name];
    return { name, help: sentence, labelNames: Object.keys(labels), registers: [registry] };
  };
  const counter = (name: NamesOf<'counter'>) => new client.Counter(optionsOf(name));
  const gauge = (name: NamesOf<'gauge'>) => new client.Gauge(optionsOf(name));
  const histogram = (name: NamesOf<'histogram'>) =>
    new client.Histogram({ ...optionsOf(name), buckets: [...METRICS[name].buckets] });
  return {
    counters: {
      postern_sign_ins_total: counter('postern_sign_ins_total'),
      postern_refreshes_total: counter('postern_refreshes_total'),
      postern_verifications_total: counter('postern_verifications_total'),
      postern_hash_rejected_total: counter('postern_hash_rejected_total'),
      postern_throttled_total: counter('postern_throttled_total'),
      postern_deliveries_total: counter('postern_deliveries_total'),
      postern_sms_denied_total: counter('postern_sms_denied_total'),
    },
    gauges: {
      postern_hash_queue_depth: gauge('postern_hash_queue_depth'),
      postern_outbox_messages: gauge('postern_outbox_messages'),
      postern_outbox_oldest_age_seconds: gauge('postern_outbox_oldest_age_seconds'),
      postern_sessions_active: gauge('postern_sessions_active'),
      postern_signing_key_expiry_timestamp_seconds: gauge(
        'postern_signing_key_expiry_timestamp_seconds',
      ),
      postern_backup_last_success_timestamp_seconds: gauge(
        'postern_backup_last_success_timestamp_seconds',
      ),
      postern_build_info: gauge('postern_build_info'),
    },
    histograms: {
      http_server_request_duration_seconds: histogram('http_server_request_duration_seconds'),
      postern_password_hash_duration_seconds: histogram('postern_password_hash_duration_seconds'),
      postern_hash_queue_wait_seconds: histogram('postern_hash_queue_wait_seconds'),
      postern_db_commit_duration_seconds: histogram('postern_db_commit_duration_seconds'),
      postern_db_commit_statements: histogram('postern_db_commit_statements'),
    },
  };
}

/** Caches the results of a function; its keys come from closed lists. */
function kept<Child>(make: (...labels: readonly string[]) => Child) {
  const children = new Map<string, Child>();
  return (...labels: readonly string[]): Child => {
    const key = labels.join(' ');
    const known = children.get(key);
    if (known !== undefined) return known;
    const child = make(...labels);
    children.set(key, child);
    return child;
  };
}

function reporting({ counters, histograms }: Made): Metrics {
  const requests = kept((route = '', method = '', status = '') =>
    histograms.http_server_request_duration_seconds.labels({
      http_request_method: method,
      http_route: route,
      http_response_status_code: status,
    }),
  );
  const refreshes = kept((outcome = '') => counters.postern_refreshes_total.labels({ outcome }));
  const verifications = kept((endpoint = '', outcome = '', cache = '') =>
    counters.postern_verifications_total.labels({ endpoint, outcome, cache }),
  );
  const hashing = histograms.postern_password_hash_duration_seconds.labels({
    algorithm: 'argon2id',
  });
  return {
    request: (route, method, status, durationMs) =>
      requests(route, method, String(status)).observe(durationMs / 1000),
    signIn: (factor, outcome) => counters.postern_sign_ins_total.inc({ factor, outcome }),
    refresh: (outcome) => refreshes(outcome).inc(),
    verifications: (endpoint) => {
      let cache = 'none';
      return {
        looked: (found) => {
          cache = found;
        },
        ended: (outcome) => {
          verifications(endpoint, outcome, cache).inc();
          cache = 'none';
        },
      };
    },
    passwordHash: ({ waitMs, runMs }) => {
      hashing.observe(runMs / 1000);
      histograms.postern_hash_queue_wait_seconds.observe(waitMs / 1000);
    },
    throttled: (rule) => counters.postern_throttled_total.inc({ rule }),
    delivery: (channel, outcome) => counters.postern_deliveries_total.inc({ channel, outcome }),
    smsDenied: (rule) => counters.postern_sms_denied_total.inc({ rule }),
    commit: ({ statements, durationMs }) => {
      histograms.postern_db_commit_duration_seconds.observe(durationMs / 1000);
      histograms.postern_db_commit_statements.observe(statements);
    },
  };
}
