/**
 * What one round measures, for each group of bars: the variants in turn, the one that they are
 * measured against before and after.
 */
import { existsSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { startBetterAuth } from './better-auth.mjs';
import { CAN_PIN, anonymousOf, cpuOf, pin, rssOf, startChild } from './jobs.mjs';
import { formText, requestText } from './request.mjs';
import {
  AUDIENCE,
  PASSWORD,
  canDelayFlushes,
  createApiKey,
  register,
  startService,
} from './service.mjs';

/**
 * Users whose sessions are refreshed, and users who sign in; apart, for a user's oldest sessions
 * end beyond 20.
 */
const SESSIONS = 512;
const SIGNING_IN = 256;
const CONNECTIONS = 32;
const IN_FLIGHT = 64;
/** Refreshes by schedule under the flood. */
const PROBE = { connections: 16, rate: 200 };
/** A disk that flushes late, by strace. */
const SLOW_DISK = { flushMs: 5, sessions: 64, verifyRate: 500 };
const MS = { http: 1_500, hashing: 4_000, raw: 2_000, writes: 1_000, idle: 32_000, memory: 200 };
/** Measured beside the bundle where it was built: `npm run build:binary`. */
const BINARY = 'dist/postern';

/**
 * @typedef {object} Measured
 * @property {Record<string, number | number[]>} bars
 * @property {Record<string, number | number[]>} detail
 *
 * @typedef {Awaited<ReturnType<typeof createBench>>} Bench
 * @typedef {import('./load.mjs').Flow} Flow
 * @typedef {import('./load.mjs').LoadResult} LoadResult
 */

/**
 * Starts a program on a new database three times and once more on the first, which then rests until
 * its threads have ended.
 *
 * @param {string} program
 * @param {string} folder
 */
async function startAndRest(program, folder) {
  const state = mkdtempSync(join(folder, 'start-'));
  const startMs = [];
  for (const cwd of [state, mkdtempSync(`${state}-`), mkdtempSync(`${state}-`)]) {
    const service = await startService({ program, folder: cwd });
    startMs.push(service.startMs);
    await service.stop();
  }
  const again = await startService({ program, folder: state });
  await wait(MS.idle);
  const measured = {
    startMs,
    againMs: again.startMs,
    rss: rssOf(again.pid),
    anonymous: anonymousOf(again.pid),
  };
  await again.stop();
  return measured;
}

/**
 * Starts everything that is measured.
 *
 * @param {{ folder: string, program: string, groups: readonly string[] }} options
 */
export async function createBench({ folder, program, groups }) {
  const client = await startChild('load.mjs');
  const hello = await startChild('hello.mjs');
  const helloPort = Number(await hello.ask({}));
  const floor = await startChild('floor.mjs', { args: [folder] });
  const floorClient = await startChild('load.mjs');
  const bare = await floor.ask({ sessions: SESSIONS });
  await floorClient.ask({ sessions: bare.refresh });
  const raw = groups.includes('hashing') ? await startChild('raw-argon2.mjs') : undefined;
  const writes = groups.includes('writes')
    ? await startChild('writes.mjs', { args: [folder] })
    : undefined;
  const verifier = groups.includes('verifier') ? await startChild('verifier.mjs') : undefined;
  const lists = groups.includes('verifier') ? await startChild('status-list.mjs') : undefined;
  const service = await startService({ program, folder: join(folder, 'service') });
  const sessions = await register(
    service.port,
    Array.from({ length: SESSIONS }, (_, n) => `keeper${n}`),
  );
  const key = createApiKey({ program, folder: join(folder, 'service') });
  const names = Array.from({ length: SIGNING_IN }, (_, n) => `visitor${n}`);
  await register(service.port, names);
  await client.ask({ sessions: sessions.map(({ refresh }) => refresh) });
  const peer = groups.includes('better-auth')
    ? await startBetterAuth(folder, SIGNING_IN)
    : undefined;

  /** @type {Record<'hello' | 'seen' | 'fresh' | 'jwks' | 'statusList' | 'exchange' | 'refresh' | 'login', Flow>} */
  const flows = {
    hello: {
      port: helloPort,
      connections: CONNECTIONS,
      send: [requestText('GET', '/')],
      expect: 200,
    },
    seen: {
      port: service.port,
      connections: CONNECTIONS,
      send: sessions
        .slice(0, CONNECTIONS)
        .map(({ access }) => requestText('GET', '/verify', [`Authorization: Bearer ${access}`])),
      expect: 204,
    },
    fresh: { port: service.port, connections: CONNECTIONS, send: 'access', expect: 204 },
    jwks: {
      port: service.port,
      connections: CONNECTIONS,
      send: [requestText('GET', '/.well-known/jwks.json')],
      expect: 200,
    },
    statusList: {
      port: service.port,
      connections: CONNECTIONS,
      send: [requestText('GET', '/status-lists/0')],
      expect: 200,
    },
    exchange: {
      port: service.port,
      connections: CONNECTIONS,
      send: sessions.slice(0, CONNECTIONS).map(({ access }) =>
        formText('/token', [`Postern-Key: ${key}`], {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token: access,
          subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          resource: AUDIENCE,
        }),
      ),
      expect: 200,
    },
    refresh: { port: service.port, connections: CONNECTIONS, send: 'refresh', expect: 200 },
    login: {
      port: service.port,
      connections: IN_FLIGHT,
      send: names.map((username) =>
        requestText('POST', '/login', [], JSON.stringify({ username, password: PASSWORD })),
      ),
      expect: 200,
    },
  };
  /** The same requests to what has nothing else in it. @param {Flow} flow @returns {Flow} */
  const atFloor = (flow) => ({ ...flow, port: bare.port });
  /** @param {Pick<BetterAuthFlows, 'signIn' | 'check' | 'issue'> & { port: number }} peer */
  const peerFlows = ({ port, signIn, check, issue }) => ({
    signIn: { port, connections: IN_FLIGHT, send: signIn, expect: 200 },
    check: { port, connections: CONNECTIONS, send: check, expect: 200 },
    issue: { port, connections: CONNECTIONS, send: issue, expect: 200 },
  });

  /** Requests per second of which the client is capable; known after the warm-up. */
  let capacity = Infinity;

  /**
   * @param {number} pid
   * @param {readonly Flow[]} which
   * @param {number} ms
   * @returns {Promise<LoadResult>}
   */
  const load = (pid, which, ms) => client.ask({ pid, flows: which, ms });

  /**
   * The same by a client that never sleeps, on its own core.
   *
   * @param {number} pid
   * @param {Flow} flow
   * @returns {Promise<LoadResult>}
   */
  const awake = async (pid, flow) => {
    const result = await client.ask({ pid, flows: [flow], ms: MS.http, spin: CAN_PIN });
    return { ...result, clientBusy: rate(result) / capacity };
  };

  /** @param {Flow} flow @returns {Promise<LoadResult>} */
  const awakeAtFloor = async (flow) => {
    const job = { pid: floor.pid, flows: [atFloor(flow)], ms: MS.http, spin: CAN_PIN };
    const result = await floorClient.ask(job);
    return { ...result, clientBusy: rate(result) / capacity };
  };

  /** Hashes per second of the bare library. @returns {Promise<LoadResult>} */
  const rawHashes = async () => {
    if (raw === undefined) throw new Error('the raw hasher was not started');
    const cpu = cpuOf(raw.pid);
    const { count, perSecond } = await raw.ask({ ms: MS.raw });
    return {
      flows: [{ count, perSecond }],
      serverMicroseconds: cpuOf(raw.pid) - cpu,
      clientBusy: NaN,
      tokensMissing: 0,
    };
  };

  /** Server and client on a core each, or both on all while threads hash. @param {boolean} apart */
  const place = (apart) => {
    for (const { pid } of [hello, floor, service, ...(peer === undefined ? [] : [peer.child])])
      pin(pid, apart ? 'server' : 'all');
    for (const { pid } of [client, floorClient]) pin(pid, apart ? 'client' : 'all');
  };

  /** @type {Record<string, () => Promise<Measured>>} */
  const rounds = {
    async http() {
      place(true);
      const before = await awake(hello.pid, flows.hello);
      const seen = await awake(service.pid, flows.seen);
      const jwks = await awake(service.pid, flows.jwks);
      const statusList = await awake(service.pid, flows.statusList);
      const between = await awake(hello.pid, flows.hello);
      const exchange = await awake(service.pid, flows.exchange);
      const refresh = await awake(service.pid, flows.refresh);
      const fresh = await awake(service.pid, flows.fresh);
      const after = await awake(hello.pid, flows.hello);
      service.forgetLog();
      const limits = {
        ...described('limit: jwks.json', await awakeAtFloor(flows.jwks)),
        ...described('limit: POST /token, exchange', await awakeAtFloor(flows.exchange)),
        ...described('limit: /refresh', await awakeAtFloor(flows.refresh)),
        ...described('limit: GET /verify, new', await awakeAtFloor(flows.fresh)),
      };
      const ahead = (rate(before) + rate(between)) / 2;
      const behind = (rate(between) + rate(after)) / 2;
      return {
        bars: {
          verifySeen: rate(seen) / ahead,
          jwks: rate(jwks) / ahead,
          statusList: rate(statusList) / ahead,
          exchange: rate(exchange) / behind,
          refresh: rate(refresh) / behind,
          verifyNew: rate(fresh) / behind,
        },
        detail: {
          ...described('hello', before, between, after),
          ...described('GET /verify, seen', seen),
          ...described('GET /verify, new', fresh),
          ...described('jwks.json', jwks),
          ...described('/status-lists/0', statusList),
          ...described('POST /token, exchange', exchange),
          ...described('/refresh', refresh),
          ...limits,
        },
      };
    },

    async hashing() {
      place(false);
      const before = await rawHashes();
      const login = await load(service.pid, [flows.login], MS.hashing);
      const between = await rawHashes();
      let rss = 0;
      const watch = setInterval(() => (rss = Math.max(rss, rssOf(service.pid))), MS.memory);
      const flood = await load(
        service.pid,
        [flows.login, { ...flows.refresh, ...PROBE }],
        MS.hashing,
      );
      clearInterval(watch);
      const after = await rawHashes();
      service.forgetLog();
      return {
        bars: {
          login: (2 * rate(login)) / (rate(before) + rate(between)),
          floodLogin: (2 * rate(flood)) / (rate(between) + rate(after)),
          floodP99: flood.flows[1]?.p99 ?? NaN,
          rssFlood: rss,
        },
        detail: {
          ...described('raw argon2', before, between, after),
          ...described('/login', login),
          ...described('/login under the flood, with the refreshes', flood),
          '/refresh under the flood, median, ms': flood.flows[1]?.p50 ?? NaN,
        },
      };
    },

    async writes() {
      if (writes === undefined) throw new Error('the writes were not started');
      const { single, grouped } = await writes.ask({ ms: MS.writes });
      return {
        bars: { grouped: grouped / single },
        detail: { 'single write.perSecond': single, 'grouped write.perSecond': grouped },
      };
    },

    async verifier() {
      if (verifier === undefined || lists === undefined)
        throw new Error('the verifier was not started');
      const { bare: jose, cold, seen } = await verifier.ask({});
      const { few, many } = await lists.ask({});
      return {
        bars: { verifierCold: cold / jose, verifierSeen: jose / seen, statusMade: many.ms },
        detail: {
          'jose.jwtVerify, µs': jose,
          '@postern/verifier, new token, µs': cold,
          '@postern/verifier, seen token, µs': seen,
          'list of 2^20 sessions, 0.1 % ended: made, ms': few.ms,
          'list of 2^20 sessions, 0.1 % ended: event loop busy, ms': few.busyMs,
          'list of 2^20 sessions, 1 % ended: event loop busy, ms': many.busyMs,
        },
      };
    },

    async disk() {
      if (!canDelayFlushes()) return { bars: {}, detail: {} };
      const slow = await startService({
        program,
        folder: mkdtempSync(join(folder, 'disk-')),
        flushDelayMs: SLOW_DISK.flushMs,
      });
      const kept = await register(
        slow.port,
        Array.from({ length: SLOW_DISK.sessions }, (_, n) => `keeper${n}`),
      );
      const probe = await startChild('load.mjs');
      await probe.ask({ sessions: kept.map(({ refresh }) => refresh) });
      const seen = kept.map(({ access }) =>
        requestText('GET', '/verify', [`Authorization: Bearer ${access}`]),
      );
      /** @type {LoadResult} */
      const { flows: results } = await probe.ask({
        pid: slow.pid,
        ms: MS.hashing,
        flows: [
          { port: slow.port, connections: 8, send: seen, expect: 204, rate: SLOW_DISK.verifyRate },
          { port: slow.port, ...PROBE, send: 'refresh', expect: 200 },
        ],
      });
      await probe.stop();
      await slow.stop();
      const [verified, refreshed] = results;
      return {
        bars: { slowDiskP99: verified?.p99 ?? NaN },
        detail: {
          'GET /verify on a slow disk, median, ms': verified?.p50 ?? NaN,
          '/refresh on a slow disk, median, ms': refreshed?.p50 ?? NaN,
        },
      };
    },

    async start() {
      const bundle = await startAndRest(program, folder);
      const binary = existsSync(BINARY) ? await startAndRest(BINARY, folder) : undefined;
      const again = 'spawn to first answer on a database that is there, ms';
      return {
        bars: {
          start: bundle.startMs,
          rssIdle: bundle.rss,
          ...(binary && { startBinary: binary.startMs, rssIdleBinary: binary.rss }),
        },
        detail: {
          [`${again}`]: bundle.againMs,
          'private memory idle, MB': bundle.anonymous,
          ...(binary && {
            [`binary: ${again}`]: binary.againMs,
            'binary: private memory idle, MB': binary.anonymous,
          }),
        },
      };
    },

    async 'better-auth'() {
      if (peer === undefined) throw new Error('better-auth was not started');
      const theirs = peerFlows(peer);
      const { pid } = peer.child;
      place(false);
      const signInOurs = await load(service.pid, [flows.login], MS.hashing);
      const signIn = await load(pid, [theirs.signIn], MS.hashing);
      place(true);
      const seen = await awake(service.pid, flows.seen);
      const check = await awake(pid, theirs.check);
      const refresh = await awake(service.pid, flows.refresh);
      const issue = await awake(pid, theirs.issue);
      service.forgetLog();
      return {
        bars: {
          signIn: rate(signInOurs) / rate(signIn),
          sessionCheck: rate(seen) / rate(check),
          tokenIssue: rate(refresh) / rate(issue),
        },
        detail: {
          ...described('better-auth sign-in', signIn),
          ...described('better-auth get-session', check),
          ...described('better-auth token', issue),
        },
      };
    },
  };

  return {
    /** @param {string} group */
    round(group) {
      const measure = rounds[group];
      if (measure === undefined) throw new Error(`there is no group ${group}`);
      return measure();
    },
    /**
     * Compiled code, open files, a full cache of verified tokens, and enough access tokens that new
     * ones are new.
     */
    async warmUp() {
      place(true);
      for (let missing = 1; missing > 0; )
        ({ tokensMissing: missing } = await load(service.pid, [flows.refresh], MS.http));
      for (let missing = 1; missing > 0; )
        ({ tokensMissing: missing } = await awakeAtFloor(flows.refresh));
      for (const flow of [flows.seen, flows.fresh, flows.jwks])
        await load(service.pid, [flow], MS.http);
      await load(hello.pid, [flows.hello], MS.http);
      const able = await load(hello.pid, [flows.hello], MS.http);
      capacity = rate(able) / able.clientBusy;
      if (peer !== undefined)
        for (const flow of Object.values(peerFlows(peer)))
          await load(peer.child.pid, [flow], MS.http);
      service.forgetLog();
    },
    children: [
      client,
      hello,
      floor,
      floorClient,
      ...(raw === undefined ? [] : [raw]),
      ...(writes === undefined ? [] : [writes]),
      ...(verifier === undefined ? [] : [verifier]),
      ...(lists === undefined ? [] : [lists]),
      ...(peer === undefined ? [] : [peer.child]),
    ],
    service,
  };
}

/** @typedef {import('./better-auth.mjs').BetterAuth} BetterAuthFlows */

/** @param {Bench} bench */
export async function closeBench({ children, service }) {
  for (const child of children) await child.stop();
  await service.stop();
}

/** @param {LoadResult} result */
function rate(result) {
  return result.flows[0]?.perSecond ?? NaN;
}

/**
 * @param {string} name
 * @param {readonly LoadResult[]} results
 */
function described(name, ...results) {
  return {
    [`${name}.perSecond`]: results.map(rate),
    [`${name}.cpu`]: results.map(
      ({ serverMicroseconds, flows: [flow] }) => serverMicroseconds / (flow?.count ?? NaN),
    ),
    [`${name}.client`]: results.map(({ clientBusy }) => clientBusy),
  };
}
