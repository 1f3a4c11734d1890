/**
 * Plays the conformance kit against one program that judges a token a line: `accept` or `refuse`.
 * Used by `npm run test:verifiers` and by a test.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/**
 * @typedef {{ name: string, expect: 'accept' | 'refuse' | 'either', needs: 'nothing' | 'status_list', token: string }} Case
 * @typedef {{ do: string, token?: string | { kept: string }, expect?: string, path?: string, keep?: string, seconds?: number, name?: string, at_most?: number }} Step
 * @typedef {{ name: string, needs?: string, steps: readonly Step[] }} Scenario
 * @typedef {{ issuer: string, audience: string, cases: readonly Case[], scenarios: readonly Scenario[] }} Manifest
 * @typedef {{ passed: number, total: number, failures: string[], skipped: number }} Outcome
 * @typedef {object} Candidate
 * @property {string} folder of examples/
 * @property {readonly [string, ...string[]]} command run there
 * @property {boolean} [readsStatusLists]
 */

/**
 * Plays everything that the candidate can do.
 *
 * @param {string} url of the kit's manifest
 * @param {Candidate} candidate
 * @returns {Promise<Outcome>}
 */
export async function playKit(url, { folder, command, readsStatusLists = false }) {
  const manifest = /** @type {Manifest} */ (await (await fetch(url)).json());
  const applies = (/** @type {{ needs?: string }} */ { needs }) =>
    readsStatusLists || needs !== 'status_list';
  const cases = manifest.cases.filter(applies);
  const scenarios = manifest.scenarios.filter(applies);
  /** @type {string[]} */
  const failures = [];
  const program = start(command, folder, manifest);
  for (const { name, expect, token } of cases) {
    const verdict = await program.judge(token);
    if (expect !== 'either' && verdict !== expect) failures.push(`${name}: ${verdict}`);
  }
  program.stop();
  for (const scenario of scenarios) {
    const own = start(command, folder, manifest);
    const fault = await playScenario(scenario, own.judge, new URL(url).origin);
    if (fault !== null) failures.push(`${scenario.name}: ${fault}`);
    own.stop();
  }
  const total = cases.length + scenarios.length;
  const skipped = manifest.cases.length + manifest.scenarios.length - total;
  return { passed: total - failures.length, total, failures, skipped };
}

/**
 * @param {Scenario} scenario
 * @param {(token: string) => Promise<string>} judge
 * @param {string} origin
 * @returns {Promise<string | null>} what went wrong first
 */
async function playScenario({ steps }, judge, origin) {
  /** @type {Map<string, string>} */
  const kept = new Map();
  /** @type {string | null} */
  let fault = null;
  for (const step of steps) {
    // Even after a fault the kit is put back as it was.
    if (fault === null || step.do === 'post')
      fault = (await playStep(step, { judge, origin, kept })) ?? fault;
  }
  return fault;
}

/**
 * @param {Step} step
 * @param {{ judge: (token: string) => Promise<string>, origin: string, kept: Map<string, string> }} play
 * @returns {Promise<string | null>}
 */
async function playStep(step, { judge, origin, kept }) {
  const url = `${origin}${step.path ?? ''}`;
  switch (step.do) {
    case 'wait':
      await new Promise((resolve) => setTimeout(resolve, (step.seconds ?? 0) * 1_000));
      return null;
    case 'post': {
      const text = await (await fetch(url, { method: 'POST' })).text();
      if (step.keep !== undefined) kept.set(step.keep, JSON.parse(text)[step.keep]);
      return null;
    }
    case 'counter': {
      const counters = /** @type {Record<string, number>} */ (await (await fetch(url)).json());
      const found = counters[step.name ?? ''] ?? 0;
      return found <= (step.at_most ?? 0) ? null : `${found} fetches of ${step.name}`;
    }
    default: {
      const { token = '' } = step;
      const verdict = await judge(typeof token === 'string' ? token : (kept.get(token.kept) ?? ''));
      return verdict === step.expect ? null : `${verdict} for ${step.expect}`;
    }
  }
}

/**
 * Starts the program; each line in is a line out.
 *
 * @param {readonly [string, ...string[]]} command
 * @param {string} folder
 * @param {Manifest} manifest
 */
function start([file, ...args], folder, { issuer, audience }) {
  const child = spawn(file, args, {
    cwd: folder,
    env: { ...process.env, ISSUER: issuer, AUDIENCE: audience },
    stdio: ['pipe', 'pipe', process.env['DEBUG'] === undefined ? 'ignore' : 'inherit'],
  });
  /** @type {((line: string) => void)[]} */
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line));
  const end = () => waiting.splice(0).forEach((resolve) => resolve('no answer'));
  child.on('exit', end);
  child.on('error', end);
  child.stdin.on('error', end);
  return {
    /** @type {(token: string) => Promise<string>} */
    judge: (token) =>
      new Promise((resolve) => {
        if (child.exitCode !== null) resolve('no answer');
        else waiting.push(resolve);
        child.stdin.write(`${token}\n`);
      }),
    stop: () => child.kill(),
  };
}
