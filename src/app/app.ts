/** Builds the kernel, creates the features with it, and starts the background work. */
import { ConfigRefused } from '../config/fault.ts';
import type { Config } from '../config/schema.ts';
import { createAuditRows } from '../core/audit/audit-row.ts';
import { CHECKPOINTS_KEPT_MS, checkpointSweep } from '../core/audit/checkpoints.ts';
import { createCheckpointKey } from '../crypto/checkpoint-note.ts';
import { createAuditNotes } from '../core/audit/notes.ts';
import type { AuditNotes } from '../core/audit/notes.ts';
import { createAuditSealer } from '../core/audit/seal.ts';
import type { Sealer } from '../core/audit/seal.ts';
import { coreSweeps } from '../core/housekeeping.ts';
import type { Kernel } from '../core/kernel.ts';
import type { SealedColumn } from '../core/sealed-value/reseal.ts';
import { coreSealedColumns } from '../core/sealed-value/core-columns.ts';
import type { ScheduledSweep } from '../core/sweep.ts';
import { emailChannel, smsChannel } from '../delivery/channels.ts';
import { createCourier } from '../delivery/courier.ts';
import type { Courier } from '../delivery/courier.ts';
import { createIds } from '../lib/id.ts';
import type { Feature, FeatureParts } from '../features/feature.ts';
import type { AnyRoute } from '../http/route.ts';
import { startBackground } from './background.ts';
import { featureRules } from './feature-rules.ts';
import { countedLog } from './counted-log.ts';
import { createKernel } from './kernel.ts';
import type { Edge } from './kernel.ts';
import { smsWords } from './sms-policy.ts';

export type { Edge } from './kernel.ts';

export interface RunningApp {
  readonly config: Config;
  readonly kernel: Kernel;
  readonly routes: readonly AnyRoute[];
  /** Those under /admin; none where administration over HTTP is off. */
  readonly adminRoutes: readonly AnyRoute[];
  /** The sweeps of core and of the features. */
  readonly sweeps: readonly ScheduledSweep[];
  /** Every column of sealed values. */
  readonly sealed: readonly SealedColumn[];
  /** What is recorded of refusals, a second later than it happened. */
  readonly notes: Pick<AuditNotes, 'flush'>;
  readonly sealAudit: Pick<Sealer, 'seal' | 'run'>;
  /** Waits for running work and ends the threads; the database stays open. */
  close(): Promise<void>;
}

/**
 * How often to check for writes of other processes: a local file has a change counter, a server
 * must be queried.
 */
const FOLLOW_FILE_MS = 100;
const FOLLOW_SERVER_MS = 1_000;
const REMOTE = /^(?:libsql|https?|wss?):/i;

/** Registers what a feature returned. @throws {Error} its declaration and its factor disagree */
function register({ factors, signInMethods }: Kernel, feature: Feature, parts: FeatureParts): void {
  const { factor, switchedOffFactor, listing, signInMethod, portable } = parts;
  if (factor?.demandsSecond === true && feature.secondFactor === undefined)
    throw new Error(`feature ${feature.name}: a factor that demands a second needs secondFactor`);
  if (feature.secondFactor && factor === undefined && switchedOffFactor === undefined)
    throw new Error(`feature ${feature.name}: switched off, it must return switchedOffFactor`);
  if (factor !== undefined) factors.add(factor);
  for (const method of [signInMethod ?? []].flat()) signInMethods.add(method);
  if (listing !== undefined) factors.addListing(listing);
  if (portable !== undefined) factors.addPortable(portable);
  if (switchedOffFactor !== undefined) factors.addSwitchedOff(switchedOffFactor);
}

/** Repeats the rules of `config check`, for callers that built the configuration without it. */
function demandPossible(config: Config, features: readonly Feature[]): void {
  const messages = featureRules(features).flatMap(({ fault }) => fault(config, () => true) ?? []);
  if (messages.length === 0) return;
  throw new ConfigRefused(messages.map((message) => ({ source: { kind: 'default' }, message })));
}

/** Logs that users have enrolled a factor that is switched off, and so sign in without it. */
async function warnOfSwitchedOff({ factors, log }: Kernel): Promise<void> {
  for (const { name, section } of await factors.switchedOffInUse()) {
    const message = `users have a ${name} and sign in without it: [${section}] is off, or it can't be used at server.public_url`;
    log.write('warn', 'factor.switched_off', message, { factor: name });
  }
}

/**
 * Builds the app on an open, migrated database. Features are created in their order, all factors
 * before the routes.
 *
 * @throws {ConfigRefused} the configuration requires something that these features don't offer
 * @throws {KeysRefused} the stored signing keys can't be opened with this key-encryption key
 */
export async function createApp(
  config: Config,
  edge: Edge,
  features: readonly Feature[],
): Promise<RunningApp> {
  const { db, clock, mail, sms, metrics } = edge;
  const { log, notes } = createAuditNotes({
    db,
    clock,
    rows: createAuditRows({
      clock,
      random: edge.random,
      newId: createIds(clock, edge.random),
    }),
    log: metrics === undefined ? edge.log : countedLog(edge.log, metrics),
  });
  demandPossible(config, features);
  const couriers: Courier[] = [];
  const { kernel, revocations } = await createKernel(
    config,
    { ...edge, log },
    {
      tokenTypes: features.flatMap(({ tokenTypes }) => tokenTypes),
      wakeCourier: () => couriers.forEach((courier) => courier.wake()),
    },
  );
  const { sealer, signingKeys, passwordHasher, random } = kernel;
  const service = config.server.name;
  const courierDeps = { db, sealer, clock, random, log };
  if (mail !== undefined) {
    const render = emailChannel(service, mail.findTemplate);
    const { transports } = mail;
    couriers.push(createCourier({ channel: 'email', ...courierDeps, transports, render }));
  }
  if (sms !== undefined && kernel.sms !== null) {
    const render = smsChannel({ service, ...smsWords(config) });
    const { transports } = sms;
    couriers.push(createCourier({ channel: 'sms', ...courierDeps, transports, render }));
  }
  const parts = features.map((feature) => {
    const created = feature.create(kernel, config);
    register(kernel, feature, created);
    return created;
  });
  await warnOfSwitchedOff(kernel);
  const sweeps = [
    ...coreSweeps(config.throttle.window),
    { sweep: checkpointSweep, keptMs: CHECKPOINTS_KEPT_MS },
    ...parts.flatMap((part) => part.sweeps ?? []),
  ];
  const sealAudit = createAuditSealer({
    db,
    clock,
    log,
    key: createCheckpointKey(signingKeys.derivedKey, kernel.issuer),
    retentionMs: config.audit.retention,
  });
  const stopBackground = startBackground({
    db,
    clock,
    log,
    signingKeys,
    revocations,
    sweeps,
    sealAudit,
    followMs: REMOTE.test(config.database.url) ? FOLLOW_SERVER_MS : FOLLOW_FILE_MS,
  });
  return {
    config,
    kernel,
    notes,
    sealAudit,
    routes: parts.flatMap(({ routes }) => routes?.() ?? []),
    adminRoutes: parts.flatMap(({ adminRoutes }) => adminRoutes?.() ?? []),
    sweeps,
    sealed: [...coreSealedColumns, ...parts.flatMap((part) => part.sealed ?? [])],
    close: async () => {
      stopBackground();
      await Promise.all(couriers.map((courier) => courier.close()));
      await kernel.apiKeys.settled();
      await notes.close();
      await passwordHasher.close();
    },
  };
}
