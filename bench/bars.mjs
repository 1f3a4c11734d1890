/**
 * The bars, and the table that says which of them hold. Most are ratios of the same run, for the
 * machine is in both of their sides.
 */

/**
 * @typedef {object} Bar
 * @property {string} id
 * @property {string} group what has to be measured for it
 * @property {string} line
 * @property {number} must
 * @property {number} goal
 * @property {string} [unit] of an absolute; a bar with one is met from below, a ratio from above
 */

/** @type {readonly Bar[]} */
export const BARS = [
  {
    id: 'login',
    group: 'hashing',
    line: '`/login` per second / raw argon2',
    must: 0.9,
    goal: 0.97,
  },
  {
    id: 'verifySeen',
    group: 'http',
    line: 'GET `/verify`, token seen before / hello',
    must: 0.6,
    goal: 0.85,
  },
  {
    id: 'verifyNew',
    group: 'http',
    line: 'GET `/verify`, new token / hello',
    must: 0.12,
    goal: 0.2,
  },
  {
    id: 'refresh',
    group: 'http',
    line: '`/refresh` (rotating, durable, distinct tokens) / hello',
    must: 0.12,
    goal: 0.25,
  },
  { id: 'jwks', group: 'http', line: '`/.well-known/jwks.json` / hello', must: 0.75, goal: 0.95 },
  { id: 'statusList', group: 'http', line: '`/status-lists/0` / hello', must: 0.6, goal: 0.85 },
  {
    id: 'exchange',
    group: 'http',
    line: 'POST `/token`, token exchange / hello',
    must: 0.1,
    goal: 0.15,
  },
  {
    id: 'floodP99',
    group: 'hashing',
    line: '`/refresh` p99 while 64 connections flood `/login`',
    must: 25,
    goal: 8,
    unit: 'ms',
  },
  {
    id: 'floodLogin',
    group: 'hashing',
    line: '`/login` under that flood / raw argon2',
    must: 0.8,
    goal: 0.95,
  },
  {
    id: 'grouped',
    group: 'writes',
    line: '64 writes in flight: grouped / single, durable',
    must: 8,
    goal: 16,
  },
  {
    id: 'verifierCold',
    group: 'verifier',
    line: '`@postern/verifier`, new token: its time / bare `jose.jwtVerify`',
    must: 1.2,
    goal: 1.1,
    unit: '×',
  },
  {
    id: 'verifierSeen',
    group: 'verifier',
    line: '`@postern/verifier`, seen token: how much faster than `jose.jwtVerify`',
    must: 10,
    goal: 30,
  },
  {
    id: 'statusMade',
    group: 'verifier',
    line: 'a status list of 2^20 sessions made, 1 % ended',
    must: 50,
    goal: 15,
    unit: 'ms',
  },
  {
    id: 'slowDiskP99',
    group: 'disk',
    line: 'GET `/verify` p99 beside 200 `/refresh` a second, each flush 5 ms late',
    must: 3,
    goal: 1.5,
    unit: 'ms',
  },
  { id: 'rssIdle', group: 'start', line: 'RSS idle, `npm start`', must: 90, goal: 80, unit: 'MB' },
  { id: 'rssIdleBinary', group: 'start', line: 'RSS idle, binary', must: 90, goal: 80, unit: 'MB' },
  {
    id: 'rssFlood',
    group: 'hashing',
    line: 'RSS under the flood',
    must: 220,
    goal: 150,
    unit: 'MB',
  },
  {
    id: 'start',
    group: 'start',
    line: 'spawn to first answer, `npm start`',
    must: 200,
    goal: 150,
    unit: 'ms',
  },
  {
    id: 'startBinary',
    group: 'start',
    line: 'spawn to first answer, binary',
    must: 200,
    goal: 150,
    unit: 'ms',
  },
  { id: 'signIn', group: 'better-auth', line: 'sign-in / better-auth', must: 1.1, goal: 1.3 },
  {
    id: 'sessionCheck',
    group: 'better-auth',
    line: 'session check / better-auth',
    must: 20,
    goal: 40,
  },
  { id: 'tokenIssue', group: 'better-auth', line: 'token issue / better-auth', must: 8, goal: 20 },
];

/** Samples of each thing measured. @typedef {Map<string, number[]>} Samples */

/**
 * @param {Samples} samples
 * @param {Readonly<Record<string, number | readonly number[]>>} values
 */
export function addSamples(samples, values) {
  for (const [id, value] of Object.entries(values))
    samples.set(id, [...(samples.get(id) ?? []), ...(typeof value === 'number' ? [value] : value)]);
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[(sorted.length >> 1) - 1] ?? NaN) + upper) / 2;
}

/** @param {Bar} bar @param {Samples} samples */
function meets(bar, samples, limit = bar.must) {
  const value = median(samples.get(bar.id) ?? []);
  return bar.unit === undefined ? value >= limit : value <= limit;
}

/** @param {Samples} samples the bars that were measured and don't hold */
export function failed(samples) {
  return BARS.filter((bar) => samples.has(bar.id) && !meets(bar, samples));
}

/** @param {Bar} bar @param {number} value */
function shown(bar, value) {
  if (bar.unit !== undefined)
    return value < 20 ? value.toFixed(value < 2 ? 2 : 1) : value.toFixed(0);
  return value >= 5 ? value.toFixed(1) : value.toFixed(2);
}

/** @param {Bar} bar @param {number} limit */
function limitOf(bar, limit) {
  return bar.unit === undefined ? `${limit}${limit >= 1 ? '×' : ''}` : `≤ ${limit} ${bar.unit}`;
}

/**
 * The Markdown table.
 *
 * @param {Samples} samples
 * @param {ReadonlySet<string>} repeated bars whose figures are of a second try
 */
export function table(samples, repeated) {
  const rows = BARS.filter(({ id }) => samples.has(id)).map((bar) => {
    const values = samples.get(bar.id) ?? [];
    const held = meets(bar, samples) ? 'holds' : 'FAILS';
    const verdict = meets(bar, samples, bar.goal) ? 'goal' : held;
    const measured = `${shown(bar, median(values))}${bar.unit === undefined ? '' : ` ${bar.unit}`} (${shown(bar, Math.min(...values))}–${shown(bar, Math.max(...values))})`;
    return `| ${bar.line} | ${measured} | ${limitOf(bar, bar.must)} | ${limitOf(bar, bar.goal)} | ${verdict}${repeated.has(bar.id) ? ', at the second try' : ''} |`;
  });
  return [
    '| ratio, same run | measured: median (range) | must hold | goal | verdict |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
