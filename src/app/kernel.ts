/** Builds the kernel from the configuration and the process edge. */
import type { Config } from '../config/schema.ts';
import { createApiKeys } from '../core/api-key/api-keys.ts';
import { createAuditRows } from '../core/audit/audit-row.ts';
import { createAttempts } from '../core/attempt/attempts.ts';
import { createCommit } from '../core/commit.ts';
import type { Commit } from '../core/commit.ts';
import { contexts } from '../core/context.ts';
import { createEmails } from '../core/email/emails.ts';
import { createAuthentication } from '../core/factor/authentication.ts';
import { createChallenges } from '../core/factor/challenge.ts';
import { createEnrolmentGrace } from '../core/factor/enrolment-grace.ts';
import { createFactors } from '../core/factor/factors.ts';
import { pendingSignIns } from '../core/factor/pending-sign-in.ts';
import { createSignInMethods } from '../core/factor/sign-in-methods.ts';
import { createReauthentication } from '../core/factor/reauthentication.ts';
import type { Kernel } from '../core/kernel.ts';
import { createLimits } from '../core/limit/limits.ts';
import { createOneTimes } from '../core/one-time/one-time.ts';
import { createBreached } from '../core/password/breached.ts';
import { commonPasswords } from '../core/password/common-passwords.ts';
import { readFilter } from '../core/password/fuse-filter.ts';
import { createPasswords } from '../core/password/passwords.ts';
import type { Passwords } from '../core/password/passwords.ts';
import { createResetLink } from '../core/password/reset-link.ts';
import { createStorage } from '../core/storage/storage.ts';
import type { Storage } from '../core/storage/storage.ts';
import { createRefresh } from '../core/session/refresh.ts';
import { createRevocations } from '../core/session/revocation.ts';
import type { Revocations } from '../core/session/revocation.ts';
import { createSessions } from '../core/session/sessions.ts';
import { createSigningKeys } from '../core/signing-key/signing-key.ts';
import { createAccessTokens } from '../core/token/access-token.ts';
import { createChallengeTokens } from '../core/token/challenge-token.ts';
import { createDeviceTokens } from '../core/token/device-token.ts';
import { createIssue } from '../core/token/issue.ts';
import { createServiceTokens } from '../core/token/service-token.ts';
import { createAccountState } from '../core/user/account-state.ts';
import type { PasswordHasher } from '../crypto/password-hasher.ts';
import { createSealer } from '../crypto/seal.ts';
import type { OpenDatabase } from '../db/open.ts';
import type { FindTemplate } from '../delivery/templates.ts';
import type { OutgoingSms, Transport } from '../delivery/transport.ts';
import type { Clock } from '../lib/clock.ts';
import { createIds } from '../lib/id.ts';
import type { Random } from '../lib/id.ts';
import type { Log } from '../lib/log.ts';
import { NO_METRICS } from '../lib/metrics.ts';
import type { Metrics } from '../lib/metrics.ts';
import { emailLimits, resetLinkSettings } from './email-policy.ts';
import { createHasher } from './hasher.ts';
import { attemptLimits, limitPolicy, sessionLimits, signingKeyPolicy } from './policies.ts';
import { smsOf } from './sms-policy.ts';
import { audiencesOf, statusListsOf } from './tokens.ts';

/** The inputs that only the process edge can provide. */
export interface Edge {
  readonly db: OpenDatabase;
  /** Called by the database when writes fail; without it, failed writes are not tracked. */
  readonly storage?: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where to report measurements; optional. */
  readonly metrics?: Metrics;
  /** The key-encryption key, 32 bytes. */
  readonly keyEncryptionKey: Uint8Array;
  /** The list of common passwords, as built by its script. */
  readonly commonPasswordBytes: Uint8Array;
  /** The filter of breached passwords, if configured. */
  readonly breachedBytes?: Buffer;
  /** The path of the hash lanes' program, if it is not beside this one. */
  readonly laneUrl?: URL;
  /** How emails are sent; without it they stay in the outbox. */
  readonly mail?: {
    readonly transports: readonly Transport[];
    readonly findTemplate: FindTemplate;
  };
  /** How text messages are sent; without it they stay in the outbox. */
  readonly sms?: { readonly transports: readonly Transport<OutgoingSms>[] };
}

function passwordsOf(config: Config, edge: Edge, hasher: PasswordHasher): Passwords {
  const { password, server } = config;
  const { db, clock, log, breachedBytes } = edge;
  const range = { url: password.breached_range_url, timeoutMs: password.breached_timeout };
  return createPasswords({
    db,
    clock,
    hasher,
    common: commonPasswords(edge.commonPasswordBytes),
    breached: createBreached({
      filter: breachedBytes === undefined ? null : readFilter(breachedBytes),
      range: password.breached_range ? range : null,
      log,
    }),
    minLength: password.min_length,
    history: password.history,
    maxAgeMs: password.max_age,
    contextWords: [server.name, ...password.context_words],
  });
}

/** The kernel, and the parts of it that features don't get. */
export interface BuiltKernel {
  readonly kernel: Kernel;
  readonly revocations: Revocations;
}

export interface KernelOptions {
  /** The `typ` of tokens that features sign with the internal key. */
  readonly tokenTypes: readonly string[];
  readonly wakeCourier: () => void;
}

/**
 * Builds the kernel on an open, migrated database.
 *
 * @throws {KeysRefused} the stored signing keys can't be opened with this key-encryption key
 */
export async function createKernel(
  config: Config,
  edge: Edge,
  options: KernelOptions,
): Promise<BuiltKernel> {
  const passwordHasher = createHasher(config, edge);
  try {
    // Start one lane now, to show that lanes can load while the rest is built; the others start on
    // demand.
    const [built] = await Promise.all([
      buildKernel(config, edge, { ...options, passwordHasher }),
      passwordHasher.ready(1),
    ]);
    return built;
  } catch (error) {
    await passwordHasher.close();
    throw error;
  }
}

async function buildKernel(
  config: Config,
  edge: Edge,
  {
    tokenTypes,
    wakeCourier,
    passwordHasher,
  }: KernelOptions & { readonly passwordHasher: PasswordHasher },
): Promise<BuiltKernel> {
  const { db, clock, random, log, metrics = NO_METRICS } = edge;
  const { storage = createStorage({ clock, log }) } = edge;
  const newId = createIds(clock, random);
  const issuer = config.server.public_url;
  const limits = sessionLimits(config);
  const mfa = { required: config.mfa.required, graceMs: config.mfa.grace };
  const sealKeys = {
    current: edge.keyEncryptionKey,
    previous: config.secrets.previous_key_encryption_keys,
  };
  const sealer = createSealer(sealKeys, random);
  const revocations = await createRevocations({ db, clock });
  const policy = signingKeyPolicy(config, tokenTypes);
  const signingKeys = await createSigningKeys({ db, sealer, clock, random }, policy, 'serve');
  const audiences = audiencesOf(config);
  const statusLists = statusListsOf(config, { db, clock, keys: signingKeys, revocations });
  const accessTokens = createAccessTokens({
    issuer,
    audiences,
    cacheEntries: config.tokens.verified_cache,
    keys: signingKeys,
    clock,
    newId,
    isRevoked: revocations.isRevoked,
  });
  const apiKeys = createApiKeys({ db, clock, log });
  const auditRows = createAuditRows({ clock, random, newId });
  const commit: Commit = createCommit({
    db,
    auditRows,
    refreshRevocations: revocations.refresh,
    wakeCourier,
    forgetApiKeys: apiKeys.forget,
  });
  const attempts = createAttempts(
    { db, clock, onThrottled: metrics.throttled },
    attemptLimits(config),
  );
  // Fail the start if the database takes no writes, instead of failing each sign-in. After the
  // keys, because their refusal says that nothing was changed.
  await commit.inAnySession([attempts.probe()]);
  const { derivedKey } = signingKeys;
  const emailDeps = { clock, newId, sealer, derivedKey, limits: emailLimits(config) };
  const emails = createEmails(emailDeps);
  const links = resetLinkSettings(config);
  const sendResetLink = createResetLink({ clock, random, newId, emails, ...links });
  const sessions = createSessions({ db, clock, newId, limits });
  const signInMethods = createSignInMethods({ db });
  const factors = createFactors({ clock, commit, attempts, emails, signInMethods, mfa });
  const grace = createEnrolmentGrace({ clock, commit, factors, mfa });
  const challengeTokens = createChallengeTokens({ signingKeys, clock, issuer });
  const deviceTokens = createDeviceTokens({ signingKeys, random });
  const issueTokens = createIssue({
    clock,
    accessTokens,
    signingKeys,
    issuer,
    limits,
    audiences,
    statusLists,
  });
  const freshForMs = config.sessions.fresh_for;
  const shared = {
    clock,
    random,
    newId,
    commit,
    factors,
    grace,
    sessions,
    issueTokens,
    mfa,
    sendResetLink,
  };
  const kernel: Kernel = {
    db,
    clock,
    random,
    log,
    metrics,
    newId,
    issuer,
    sealer,
    signingKeys,
    accessTokens,
    serviceTokens: createServiceTokens({ accessTokens, audiences, apiKeys }),
    audiences,
    statusLists,
    deviceTokens,
    passwordHasher,
    passwords: passwordsOf(config, edge, passwordHasher),
    attempts,
    apiKeys,
    limits: createLimits(clock, limitPolicy(config)),
    oneTimes: createOneTimes({ db, clock }),
    challenges: createChallenges({ db, clock }),
    sessions,
    storage,
    refreshSession: createRefresh({
      db,
      clock,
      limits,
      revocations,
      issueTokens,
      grace,
      mfa,
      storage,
      whenReadOnlyMs: config.sessions.refresh_when_read_only,
      metrics,
    }),
    emails,
    sms: await smsOf(config, emailDeps),
    sendResetLink,
    factors,
    signInMethods,
    mfa,
    authentication: createAuthentication({ ...shared, challengeTokens, deviceTokens }),
    reauthentication: createReauthentication({ ...shared, freshForMs }),
    findPendingSignIn: pendingSignIns({ db, challengeTokens }),
    accountState: createAccountState({ clock, commit, attempts }),
    pendingMigrations: () => db.pendingMigrations(),
    commit,
    context: contexts(log),
  };
  return { kernel, revocations };
}
