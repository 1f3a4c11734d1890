/** Builds every capability once out of the configuration, and hands them to the features. */
import { UniqueViolation } from '../db/database.ts';
import type { App, FeatureFactor } from './capabilities.ts';
import type { Config } from '../config/schema.ts';
import { createAccessTokens } from '../core/token/access-token.ts';
import { housekeep } from '../core/housekeeping.ts';
import { tell } from '../core/email/email.ts';
import { createRevocations } from '../core/session/revocation.ts';
import { switchedOffFactors } from '../core/factor/second-factor.ts';
import { createSigningKeys } from '../core/signing-key/signing-key.ts';
import type { SigningKeyPolicy } from '../core/signing-key/signing-key.ts';
import { createPasswordHasher } from '../crypto/password-hash.ts';
import { createSealer } from '../crypto/seal.ts';
import { createCourier } from '../delivery/courier.ts';
import type { FindTemplate } from '../delivery/templates.ts';
import type { Transport } from '../delivery/transport.ts';
import type { OpenDatabase } from '../db/open.ts';
import type { Contribution, Feature } from '../features/feature.ts';
import { probeWrite } from '../features/health/store.ts';
import { createBreached } from '../core/password/breached.ts';
import { commonPasswords } from '../core/password/common-passwords.ts';
import { readFilter } from '../core/password/fuse-filter.ts';
import { createIds } from '../lib/id.ts';
import type { Random } from '../lib/id.ts';
import type { Clock } from '../lib/clock.ts';
import { exceptionFields } from '../lib/log.ts';
import type { Log } from '../lib/log.ts';

/** What only the process edge can give. */
export interface Edge {
  readonly db: OpenDatabase;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** 32 bytes that seal what lies in the database. */
  readonly keyEncryptionKey: Uint8Array;
  /** The list of common passwords, as built. */
  readonly commonPasswordBytes: Uint8Array;
  /** The filter of breached passwords, when there is one. */
  readonly breachedBytes?: Buffer;
  /** Where the hash lanes' program is, when it is not beside this one. */
  readonly laneUrl?: URL;
  /** How letters go out; without it they stay in the outbox. */
  readonly mail?: {
    readonly transports: readonly Transport[];
    readonly findTemplate: FindTemplate;
  };
}

export interface RunningApp {
  readonly app: App;
  readonly contributions: readonly Contribution[];
  /** Waits for work that is under way and ends the threads; the database stays open. */
  close(): Promise<void>;
}

/**
 * Another process's writes are looked for this often, milliseconds: a file tells by a counter, a
 * server has to be asked.
 */
const WATCH_FILE_MS = 100;
const WATCH_SERVER_MS = 1_000;
const REMOTE = /^(?:libsql|https?|wss?):/i;
const HOUSEKEEPING_MS = 10 * 60_000;

/**
 * The longest that tokens.access_ttl may be, so that a shorter one doesn't orphan tokens that are
 * out.
 */
const LONGEST_ACCESS_MS = 15 * 60_000;

/**
 * How long a key that is superseded still verifies beyond its tokens' life, for clocks that differ.
 */
const LEEWAY_MS = 60_000;

/** What the configuration says of signing keys. */
export function signingKeyPolicy({ tokens, sessions }: Config): SigningKeyPolicy {
  return {
    algorithm: tokens.algorithm,
    sharedSecret: tokens.shared_secret,
    rotationMs: tokens.key_rotation,
    publishAheadMs: tokens.key_publish_ahead,
    lifetimes: {
      accessMs: LONGEST_ACCESS_MS + LEEWAY_MS,
      internalMs: sessions.refresh_ttl + LEEWAY_MS,
    },
  };
}

/**
 * Builds the app on an open, migrated database.
 *
 * @throws {KeysRefused} the stored signing keys can't be opened with this key-encryption key
 */
export async function createApp(
  config: Config,
  edge: Edge,
  features: readonly Feature[],
): Promise<RunningApp> {
  const { db, clock, random, log } = edge;
  const newId = createIds(clock, random);
  const sealer = createSealer(
    { current: edge.keyEncryptionKey, previous: config.secrets.previous_key_encryption_keys },
    random,
  );
  const revocations = await createRevocations({ db, clock });
  const keys = await createSigningKeys(
    { db, sealer, clock, random },
    signingKeyPolicy(config),
    'serve',
  );
  // Whoever can't write must not be started: sign-ins would fail one by one instead of the start.
  // After the keys, for a refusal of theirs says that nothing was changed.
  await db.write([probeWrite()]);
  const accessTokens = createAccessTokens({
    issuer: config.server.public_url,
    audience: config.tokens.audience,
    ttlMs: config.tokens.access_ttl,
    cacheEntries: config.tokens.verified_cache,
    keys,
    clock,
    newId,
    isRevoked: revocations.isRevoked,
  });
  const { password } = config;
  const hasher = createPasswordHasher({
    threads: password.threads,
    memoryKiB: Math.floor(password.memory / 1024),
    passes: password.passes,
    lanes: password.lanes,
    queueLength: password.queue_length,
    deadlineMs: password.deadline,
    ...(password.pepper === undefined ? {} : { pepper: password.pepper }),
    previousPeppers: password.previous_peppers,
    clock,
    random,
    ...(edge.laneUrl === undefined ? {} : { laneUrl: edge.laneUrl }),
  });
  await hasher.ready();
  const factors: FeatureFactor[] = [];
  const courier =
    edge.mail === undefined
      ? undefined
      : createCourier({
          db,
          sealer,
          clock,
          random,
          log,
          ...edge.mail,
          service: config.server.name,
        });
  const app: App = {
    config,
    db,
    clock,
    random,
    log,
    newId,
    keys,
    accessTokens,
    revocations,
    hasher,
    commonPasswords: commonPasswords(edge.commonPasswordBytes),
    breached: createBreached({
      filter: edge.breachedBytes === undefined ? null : readFilter(edge.breachedBytes),
      range: password.breached_range
        ? { url: password.breached_range_url, timeoutMs: password.breached_timeout }
        : null,
      log,
    }),
    factors,
    tell: (letter, address, values, requester) => tell(app, letter, address, values, requester),
    sealer,
    wakeCourier: () => courier?.wake(),
    mail: {
      limits: config.mail,
      linkTtl: config.mail.link_ttl,
      verifyUrl: config.mail.verify_url ?? `${config.server.public_url}/verify-address`,
      resetUrl: config.mail.reset_url ?? `${config.server.public_url}/reset-password`,
    },
    policy: {
      issuer: config.server.public_url,
      sessions: config.sessions,
      freshFor: config.sessions.fresh_for,
      mfa: { required: config.mfa.required, graceMs: config.mfa.grace },
      throttle: config.throttle,
      profileClaims: config.tokens.profile_claims,
    },
  };
  // Factors first: routes ask which there are.
  for (const feature of features) factors.push(...(feature.factors?.(app) ?? []));
  for (const factor of features.length === 0 ? [] : await switchedOffFactors(app)) {
    log.write(
      'warn',
      'factor.switched_off',
      `users have a ${factor} and sign in without it: [${factor === 'totp' ? 'totp' : 'passkeys'}] is off, or server.public_url is no place for it`,
      { factor },
    );
  }
  const contributions = features.map((feature) => feature.contribute(app));
  const stop = watch(app);
  return {
    app,
    contributions,
    close: async () => {
      stop();
      await courier?.close();
      await hasher.close();
    },
  };
}

/**
 * Looks for what other processes wrote, and does what is due now and then. Failures are logged and
 * tried again.
 */
function watch(app: App): () => void {
  const { db, log, keys, revocations } = app;
  let stopped = false;
  let mark = db.changeMark();
  let busy = false;
  const follow = async (): Promise<void> => {
    if (busy) return;
    const now = db.changeMark();
    if (now === mark) return;
    busy = true;
    try {
      await revocations.refresh();
      await keys.refresh();
      mark = now;
    } catch (error) {
      log.write(
        'error',
        'database.unreadable',
        'what other processes wrote could not be read; it is tried again',
        exceptionFields(error),
      );
    } finally {
      busy = false;
    }
  };
  const tidy = async (): Promise<void> => {
    if (stopped) return;
    try {
      revocations.prune();
      await keys.ensureNext();
      await housekeep(app, app.config.throttle.window);
    } catch (error) {
      if (!stopped && !(error instanceof UniqueViolation))
        log.write(
          'error',
          'housekeeping.failed',
          'expired rows were not removed; it is tried again',
          exceptionFields(error),
        );
    }
  };
  const timers = [
    setInterval(
      () => void follow(),
      REMOTE.test(app.config.database.url) ? WATCH_SERVER_MS : WATCH_FILE_MS,
    ),
    setInterval(() => void tidy(), HOUSEKEEPING_MS),
  ];
  for (const timer of timers) timer.unref();
  void tidy();
  return () => {
    stopped = true;
    timers.forEach((timer) => clearInterval(timer));
  };
}
