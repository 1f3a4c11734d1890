/**
 * The load generator: HTTP/1.1 over kept-alive connections on `node:net`, each with one request in
 * flight, and no more parsing than it takes to find the end of an answer. It runs in a process of
 * its own and is cheap enough that the server is the limit; it says how busy it was, so that this
 * can be checked. An answer of another status than the expected one fails the run.
 */
import { connect } from 'node:net';
import { answerJobs, cpuOf } from './jobs.mjs';
import { requestText } from './request.mjs';

/**
 * What a flow sends: texts in turn; `refresh`, the sessions' live tokens in turn, each answer
 * giving the next one; or `access`, GET /verify with the access tokens that came along with those,
 * each used again only after all others.
 *
 * @typedef {object} Flow
 * @property {number} port
 * @property {number} connections
 * @property {readonly string[] | 'refresh' | 'access'} send
 * @property {number} expect status
 * @property {number} [rate] requests per second by schedule; without it each connection sends when
 *   it has its answer
 *
 * @typedef {object} FlowResult
 * @property {number} count
 * @property {number} perSecond
 * @property {number} [p50] milliseconds from the scheduled time to the end of the answer
 * @property {number} [p99]
 *
 * @typedef {object} LoadResult
 * @property {FlowResult[]} flows
 * @property {number} serverMicroseconds processor time of the server
 * @property {number} clientBusy the client's processor time as a part of the time passed
 * @property {number} tokensMissing access tokens that are still needed before `access` can be sent
 */

const HEAD_END = Buffer.from('\r\n\r\n');
const CHUNKS_END = Buffer.from('\r\n0\r\n\r\n');

/**
 * More than the verified-token cache of the default configuration holds, twice over: in turn they
 * always miss.
 */
const ACCESS_TOKENS = 24_000;

/** @type {string[]} */
let sessions = [];
/** @type {Buffer[]} */
const access = [];
let accessWritten = 0;
let accessRead = 0;

/**
 * Length of the answer at the start of these bytes, or Infinity while it isn't whole.
 *
 * @param {Buffer} bytes
 */
function answerLength(bytes) {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return Infinity;
  const head = bytes.toString('latin1', 0, end);
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  if (length !== undefined) return end + 4 + Number(length);
  if (!/transfer-encoding: chunked/i.test(head)) return end + 4;
  const last = bytes.indexOf(CHUNKS_END, end + 2);
  return last < 0 ? Infinity : last + CHUNKS_END.length;
}

/**
 * @param {number} port
 * @param {(answer: Buffer) => void} answered the bytes are good until it returns
 * @param {(error: Error) => void} failed
 * @returns {Promise<import('node:net').Socket>}
 */
function open(port, answered, failed) {
  return new Promise((resolve) => {
    /** @type {Buffer | undefined} */
    let part;
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(16_384),
        callback(size, buffer) {
          const read = /** @type {Buffer} */ (buffer).subarray(0, size);
          const bytes = part === undefined ? read : Buffer.concat([part, read]);
          const length = answerLength(bytes);
          if (length > bytes.length) part = Buffer.from(bytes);
          else {
            part = undefined;
            if (length < bytes.length) failed(new Error('more came than was asked for'));
            else answered(bytes);
          }
          return true;
        },
      },
    });
    socket.on('error', failed);
    socket.on('end', () => failed(new Error('the server closed a connection')));
    socket.on('connect', () => resolve(socket));
  });
}

/**
 * What a flow sends next, and what it does with the answer.
 *
 * @param {Flow['send']} send
 * @returns {{ next: () => Buffer, take: (answer: Buffer) => void }}
 */
function conversation(send) {
  if (send === 'access') {
    if (access.length < ACCESS_TOKENS)
      throw new Error('too few access tokens: some would be in the cache');
    return {
      next: () => access[accessRead++ % access.length] ?? Buffer.alloc(0),
      take: () => undefined,
    };
  }
  if (send === 'refresh') {
    return {
      next: () => {
        const token = sessions.shift();
        if (token === undefined) throw new Error('fewer sessions than connections');
        return Buffer.from(
          requestText('POST', '/refresh', [], `{"refresh_token":"${token}"}`),
          'latin1',
        );
      },
      take: (answer) => {
        const text = answer.toString('latin1');
        sessions.push(member(text, '"refresh_token":"'));
        access[accessWritten++ % ACCESS_TOKENS] = Buffer.from(
          requestText('GET', '/verify', [
            `Authorization: Bearer ${member(text, '"access_token":"')}`,
          ]),
          'latin1',
        );
      },
    };
  }
  const requests = send.map((text) => Buffer.from(text));
  let at = 0;
  return { next: () => requests[at++ % requests.length] ?? Buffer.alloc(0), take: () => undefined };
}

/** @param {string} text @param {string} name */
function member(text, name) {
  const start = text.indexOf(name) + name.length;
  return text.slice(start, text.indexOf('"', start));
}

/**
 * Runs flows side by side.
 *
 * @param {{ flows: readonly Flow[], pid: number, ms: number, spin?: boolean }} job `pid` is the
 *   server's; with `spin` this process never sleeps: waking an idle virtual core costs the waker up
 *   to 20 µs, which would be charged to whoever answers slowly
 * @returns {Promise<LoadResult>}
 */
async function load({ flows, pid, ms, spin = false }) {
  let stopping = false;
  let outstanding = 0;
  /** @type {(error: Error) => void} */
  let fail = () => undefined;
  let allAnswered = () => {};
  const broken = new Promise((_, reject) => (fail = reject));
  broken.catch(() => undefined);
  /** @type {import('node:net').Socket[]} */
  const sockets = [];

  const running = await Promise.all(
    flows.map(async ({ port, connections, send, expect, rate }) => {
      const { next, take } = conversation(send);
      const expected = Buffer.from(` ${expect} `);
      const state = {
        count: 0,
        latencies: /** @type {number[]} */ ([]),
        idle: /** @type {((due: number) => void)[]} */ ([]),
        due: /** @type {number[]} */ ([]),
        rate,
        sent: 0,
      };
      for (let n = 0; n < connections; n++) {
        let due = 0;
        const socket = await open(
          port,
          (answer) => {
            if (answer.compare(expected, 0, 5, 8, 13) !== 0)
              return fail(
                new Error(`expected ${expect}, got ${answer.toString('latin1', 0, 1000)}`),
              );
            take(answer);
            outstanding--;
            if (!stopping) state.count++;
            if (rate !== undefined) {
              state.latencies.push(performance.now() - due);
              const later = state.due.shift();
              if (later === undefined) state.idle.push(go);
              else go(later);
            } else if (!stopping) go(0);
            if (stopping && outstanding === 0) allAnswered();
          },
          (error) => (stopping && outstanding === 0 ? undefined : fail(error)),
        );
        sockets.push(socket);
        const go = (/** @type {number} */ at) => {
          due = at;
          outstanding++;
          socket.write(next());
        };
        state.idle.push(go);
      }
      return state;
    }),
  );

  const cpu = cpuOf(pid);
  const own = process.cpuUsage();
  const start = performance.now();
  const schedule = setInterval(() => {
    for (const state of running) {
      if (state.rate === undefined) continue;
      for (const now = performance.now(); ; state.sent++) {
        const due = start + (state.sent * 1000) / state.rate;
        if (due > now) break;
        const go = state.idle.pop();
        if (go === undefined) state.due.push(due);
        else go(due);
      }
    }
  }, 1);
  for (const state of running)
    if (state.rate === undefined) for (const go of state.idle.splice(0)) go(0);
  const look = () => void (stopping || setImmediate(look));
  if (spin) look();

  await Promise.race([broken, new Promise((resolve) => setTimeout(resolve, ms))]);
  stopping = true;
  clearInterval(schedule);
  const seconds = (performance.now() - start) / 1000;
  const serverMicroseconds = cpuOf(pid) - cpu;
  const { user, system } = process.cpuUsage(own);
  if (outstanding > 0)
    await Promise.race([
      broken,
      new Promise((resolve) => (allAnswered = () => resolve(undefined))),
    ]);
  for (const socket of sockets) socket.destroy();
  return {
    flows: running.map(({ count, latencies, rate }) => ({
      count,
      perSecond: count / seconds,
      ...(rate === undefined
        ? {}
        : { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) }),
    })),
    serverMicroseconds,
    clientBusy: (user + system) / 1e6 / seconds,
    tokensMissing: ACCESS_TOKENS - access.length,
  };
}

/** @param {number[]} values @param {number} q */
function quantile(values, q) {
  return (
    values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ??
    NaN
  );
}

answerJobs((/** @type {{ sessions: string[] } | Parameters<typeof load>[0]} */ job) => {
  if (!('sessions' in job)) return load(job);
  sessions = job.sessions;
  return undefined;
});
