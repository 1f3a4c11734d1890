/** Generates the pages of docs/ that describe the code; a test compares them with the code. */
import { EVENTS } from '../lib/events.ts';
import { METRICS } from '../lib/metrics.ts';
import type { MetricMeaning } from '../lib/metrics.ts';
import { FAULT_CODES, PROBLEM_MEMBERS } from '../http/fault-codes.ts';
import { catalogue, problemType } from '../http/problems.ts';
import { configurationPage, exampleConfig } from '../config/example.ts';
import { EXIT_CODES, verbHelp } from './help.ts';
import { VERBS } from './index.ts';
import { manPage } from './man-page.ts';

function cliPage(): string {
  const verbs = VERBS.map(
    (verb) => `## postern ${verb.name}\n\n\`\`\`\n${verbHelp(verb)}\n\`\`\`\n`,
  );
  return [
    '# Command line\n',
    'Without a verb, `postern` runs `postern serve`. Answers go to stdout, everything else to stderr; `--json` prints one object, or one a line for lists, with the field names of the API.\n',
    '| exit code | |\n| --- | --- |',
    ...EXIT_CODES.map(([code, meaning]) => `| ${code} | ${meaning} |`),
    '',
    ...verbs,
  ].join('\n');
}

function errorsPage(): string {
  const codes = catalogue().map(({ code, status, title, detail }) => {
    const example = JSON.stringify(
      { type: problemType(code), title, status, detail, code, request_id: 'b1946ac92492-1' },
      null,
      2,
    );
    const members = PROBLEM_MEMBERS.filter(({ of }) => of === code).map(
      ({ member, meaning }) => `- \`${member}\`: ${meaning}\n`,
    );
    const more = members.length === 0 ? '' : `\n${members.join('')}`;
    return `## ${code}\n\n${status} ${title}. ${detail}\n${more}\n\`\`\`json\n${example}\n\`\`\`\n`;
  });
  const faults = Object.entries(FAULT_CODES).map(
    ([code, { cause, remedy }]) => `| \`${code}\` | ${cause} | ${remedy} |`,
  );
  return [
    '# Errors\n',
    'Every refusal is `application/problem+json` (RFC 9457). Programs switch on `code`, which is stable; `detail` is for people and may change. `request_id` identifies the line in the log.',
    'With `invalid_request`, `errors` names each fault: a `pointer` into the body (RFC 6901), a `code` and a sentence. `Retry-After` (seconds) comes with 429 and 503.\n',
    'Every problem has `type`, `title`, `status`, `detail`, `code` and `request_id`; additional members of a problem are listed under its heading.\n',
    ...codes,
    '## Codes of errors[]\n',
    'Inside `invalid_request`, and in `errors` of `POST /password/check`.\n',
    '| code | cause | remedy |\n| --- | --- | --- |',
    ...faults,
    '',
  ].join('\n');
}

function eventsPage(): string {
  const rows = Object.entries(EVENTS).map(
    ([event, { level, sentence }]) => `| \`${event}\` | ${level} | ${sentence} |`,
  );
  return [
    '# Log events\n',
    "One JSON object per line on stdout, and nowhere else. `time` (RFC 3339, UTC, milliseconds), `level`, `event`, `message`, `request_id`; then the event's fields, under OpenTelemetry\u2019s attribute names: `user.id`, `session.id`, `client.address`, `http.route`, `error.type` (a [problem code](errors.md)), `exception.*`. Fields come from an allow-list: no password, token, code, key or email content is ever among them.\n",
    '`event` is stable, use it for alerts; `message` is for people and may change.\n',
    '| event | level | |\n| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function metricsPage(): string {
  const rows = Object.entries(METRICS).map(([name, meaning]: readonly [string, MetricMeaning]) => {
    const labels = Object.entries(meaning.labels ?? {}).map(
      ([label, values]) => `\`${label}\`: ${values}`,
    );
    return `| \`${name}\` | ${meaning.type} | ${meaning.sentence} | ${labels.join('; ')} |`;
  });
  return [
    '# Metrics\n',
    'With `metrics.listen = ["tcp://127.0.0.1:7401"]` the service answers `GET /metrics` there, and nothing else, in the format of Prometheus; the addresses of `server.listen` never answer it. Without this setting nothing is measured.\n',
    '```sh\ncurl -s http://127.0.0.1:7401/metrics\n```\n',
    'Labels come from closed lists, and are never an id, address, name or path of a request. Times are in seconds. Names follow SemVer. A dashboard and alert rules: [examples/grafana](../examples/grafana/README.md).\n',
    '| metric | type | | labels |\n| --- | --- | --- | --- |',
    ...rows,
    '',
    'In addition, `process_*` (CPU, memory, descriptors, start) and `nodejs_*` (event-loop delay, garbage collection, heap) as prom-client names them.\n',
  ].join('\n');
}

/** Path from the repository's root, and content. */
export const PAGES: readonly { readonly path: string; readonly content: () => string }[] = [
  { path: 'config.example.toml', content: exampleConfig },
  { path: 'docs/configuration.md', content: configurationPage },
  { path: 'docs/cli.md', content: cliPage },
  { path: 'docs/postern.1', content: () => manPage(VERBS) },
  { path: 'docs/errors.md', content: errorsPage },
  { path: 'docs/metrics.md', content: metricsPage },
  { path: 'docs/events.md', content: eventsPage },
];
