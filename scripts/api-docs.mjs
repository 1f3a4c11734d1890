/**
 * docs/api: a page an area, made of docs/openapi.json (which a test compares with the built server)
 * and of the requests in src/http/examples.json (which the same test made). Run by
 * scripts/write-docs.mjs; test/contract/api-pages.test.ts compares the pages.
 */

/**
 * @typedef {object} Example
 * @property {string} route method and path template
 * @property {string} title
 * @property {string} [path] the path that was asked for, where the template has places
 * @property {string} [token] the bearer's placeholder
 * @property {string} [basic] the API key's placeholder
 * @property {Record<string, unknown>} [body]
 * @property {Record<string, string>} [form]
 * @property {number} status
 * @property {unknown} [answer]
 */

/**
 * @typedef {object} Operation
 * @property {string} summary
 * @property {string} [description]
 * @property {readonly object[]} security
 * @property {Record<string, { description?: string, content?: Record<string, unknown> }>} responses
 */

const BASE = 'http://127.0.0.1:7400';

/** @type {readonly { file: string, title: string, about: string, routes: RegExp }[]} */
const AREAS = [
  {
    file: 'register',
    title: 'Register',
    about:
      'With a username, or with only an email address: then the account is created once its code was entered. With a password, or with a passkey instead.',
    routes: /^\w+ \/register/,
  },
  {
    file: 'sign-in',
    title: 'Sign in',
    about: 'A right first factor is always 200; `status` says whether a second one is due.',
    routes: /^POST \/(?:login(?:\/otp.*|\/link|\/recovery-code)?$|reauthenticate$)/,
  },
  {
    file: 'second-factor',
    title: 'Second factor',
    about: 'Authenticator apps and recovery codes, and the second step of a sign-in.',
    routes: /^\w+ \/(?:login\/mfa$|me\/factors|me\/totp|me\/recovery)/,
  },
  {
    file: 'passkeys',
    title: 'Passkeys',
    about:
      'As first factor or as second one. `options` are what `PublicKeyCredential.parseRequestOptionsFromJSON()` and `parseCreationOptionsFromJSON()` take.',
    routes: /passkey/,
  },
  {
    file: 'external',
    title: 'Outside providers',
    about:
      'Sign-in with an ID token or an authorization code of an outside provider, and the identities of an account. The guide is [outside providers](../external.md).',
    routes: /external|identities/,
  },
  {
    file: 'sessions',
    title: 'Sessions',
    about: 'One refresh token a session, replaced at each refresh.',
    routes: /^\w+ \/(?:refresh|logout|me\/sessions)/,
  },
  { file: 'account', title: 'Account', about: 'The user whose token it is.', routes: /^\w+ \/me$/ },
  {
    file: 'password',
    title: 'Password',
    about: 'Checking one before it is set, changing it, and setting one by a link.',
    routes: /password/,
  },
  {
    file: 'email',
    title: 'Email address',
    about: 'A new address is pending until its code has come back by the same session.',
    routes: /^\w+ \/email/,
  },
  {
    file: 'phone',
    title: 'Telephone number',
    about:
      'Where `sms.countries` lists countries: a number is pending until its code has come back. The guide is [text messages](../sms.md).',
    routes: /^\w+ \/me\/phone/,
  },
  {
    file: 'verify',
    title: 'Verify',
    about: 'For services: keys, tokens, and whether the service is well.',
    routes: /./,
  },
];

/**
 * @param {Example} example
 * @returns {string} a command for a shell
 */
export function curlOf({ route, path, token, basic, body, form }) {
  const [method = '', template = ''] = route.split(' ');
  const parts = [`curl -s -X ${method} ${BASE}${path ?? template}`];
  if (token !== undefined) parts.push(`-H 'Authorization: Bearer ${token}'`);
  if (basic !== undefined) parts.push(`-u '${basic}'`);
  for (const [name, value] of Object.entries(form ?? {}))
    parts.push(`--data-urlencode '${name}=${value}'`);
  if (body !== undefined)
    parts.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(body)}'`);
  return parts.join(' \\\n  ');
}

/**
 * @param {Example} example
 * @returns {string} an expression of JavaScript: the promise of a Response
 */
export function fetchOf({ route, path, token, basic, body, form }) {
  const [method = '', template = ''] = route.split(' ');
  const headers = [
    ...(token === undefined ? [] : [`authorization: 'Bearer ${token}'`]),
    ...(basic === undefined ? [] : [`authorization: 'Basic ' + btoa('${basic}')`]),
    ...(body === undefined ? [] : [`'content-type': 'application/json'`]),
  ];
  const sent = [
    ...(body === undefined
      ? []
      : [`body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll('\n', '\n  ')})`]),
    ...(form === undefined ? [] : [`body: new URLSearchParams(${JSON.stringify(form)})`]),
  ];
  const members = [
    `method: '${method}'`,
    ...(headers.length === 0 ? [] : [`headers: { ${headers.join(', ')} }`]),
    ...sent,
  ];
  return `fetch('${BASE}${path ?? template}', {\n${members.map((line) => `  ${line},\n`).join('')}})`;
}

/** @param {Example} example */
function answerText({ status, answer }) {
  if (answer === undefined) return `\`${status}\`, without a body.`;
  const [kind, text] =
    typeof answer === 'string' ? ['', answer.trim()] : ['json', JSON.stringify(answer, null, 2)];
  return `\`${status}\`\n\n\`\`\`${kind}\n${text}\n\`\`\``;
}

/** @param {Example} example */
function exampleText(example) {
  const answer = answerText(example);
  return [
    `### ${example.title}\n`,
    `\`\`\`sh\n${curlOf(example)}\n\`\`\`\n`,
    `\`\`\`js\nawait ${fetchOf(example)};\n\`\`\`\n`,
    `${answer}\n`,
  ].join('\n');
}

/** @param {readonly object[]} security */
function caller(security) {
  const names = security.flatMap((one) => Object.keys(one));
  if (names.length === 0) return 'Anybody may call it.';
  if (names.includes('refresh_cookie'))
    return 'With the refresh token, in the body or as the cookie of cookie mode.';
  return names.includes('bearer')
    ? 'With an access token: `Authorization: Bearer ACCESS_TOKEN`.'
    : 'With an API key: HTTP Basic, or `Postern-Key`.';
}

/** @param {Operation} operation */
function textOf({ summary, description = '' }) {
  return description.startsWith(summary) ? description : `${summary}. ${description}`.trim();
}

/**
 * @param {string} name method and path
 * @param {Operation} operation
 * @param {readonly Example[]} examples
 */
function routeText(name, operation, examples) {
  const refusals = Object.entries(operation.responses).filter(([status]) => Number(status) >= 400);
  const rows = refusals.flatMap(([status, { description = '', content = {} }]) =>
    [...description.matchAll(/`(\w+)`: (.*?)(?= `\w+`(?: \(with Postern-Key\))?: |$)/g)].map(
      ([, code, detail]) =>
        `| ${status} | ${'application/problem+json' in content ? `[\`${code}\`](../errors.md#${code})` : `\`${code}\` (RFC 6749 §5.2)`} | ${detail} |`,
    ),
  );
  return [
    `## ${name}\n`,
    `${textOf(operation)}\n`,
    `${caller(operation.security)}\n`,
    ...examples.map(exampleText),
    ...(rows.length === 0
      ? []
      : [
          `### Refusals of ${name}\n`,
          '| status | code | detail |\n| --- | --- | --- |',
          ...rows,
          '',
        ]),
  ].join('\n');
}

/**
 * @param {{ paths: Record<string, Record<string, Operation>> }} document
 * @param {readonly Example[]} examples
 * @returns {readonly { path: string, content: string }[]}
 */
export function apiPages(document, examples) {
  const routes = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
  const areaOf = (/** @type {string} */ name) => AREAS.find((area) => area.routes.test(name));
  const pages = AREAS.map((area) => ({
    path: `docs/api/${area.file}.md`,
    content: [
      `# ${area.title}\n`,
      `${area.about} Words in capitals (\`ACCESS_TOKEN\`, \`CODE\`) stand for what earlier answers or an email gave. Each request was made against the built server by a test; [all pages](README.md), [errors](../errors.md).\n`,
      ...routes
        .filter(({ name }) => areaOf(name) === area)
        .map(({ name, operation }) =>
          routeText(
            name,
            operation,
            examples.filter(({ route }) => route === name),
          ),
        ),
    ].join('\n'),
  }));
  const index = [
    '# The API\n',
    'JSON in and out, `snake_case`. A server-rendered front-end sends `Postern-Key` and `Forwarded` with calls for its users ([how](../server-rendered-apps.md)); only then are 401 `invalid_api_key` and 403 `insufficient_scope` answers of routes without a key of their own. Refusals are [problem documents](../errors.md). The same as OpenAPI: [openapi.json](../openapi.json), or `GET /openapi.json` of a running service; as one page: `npx @redocly/cli build-docs docs/openapi.json`.\n',
    '| page | routes |\n| --- | --- |',
    ...AREAS.map((area) => {
      const own = routes.filter(({ name }) => areaOf(name) === area);
      return `| [${area.title}](${area.file}.md) | ${own.map(({ name }) => `\`${name}\``).join(', ')} |`;
    }),
    '',
  ].join('\n');
  return [{ path: 'docs/api/README.md', content: index }, ...pages];
}
