/**
 * The programs that the conformance kit is played against: examples/verify-*, and other people's
 * libraries in test/libraries. Each judges a token a line, `accept` or `refuse`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../', import.meta.url);
const example = (/** @type {string} */ name) => fileURLToPath(new URL(`examples/${name}/`, ROOT));
const OTHERS = fileURLToPath(new URL('test/libraries/', ROOT));
const PYTHON = '/usr/bin/python3';

/**
 * @typedef {object} Needs
 * @property {() => boolean} isThere
 * @property {string} remedy
 *
 * @typedef {object} Program
 * @property {string} label
 * @property {string} name unique
 * @property {string} folder
 * @property {readonly [string, ...string[]]} command
 * @property {boolean} [readsStatusLists]
 * @property {Needs} needs
 * @property {boolean} inCi whether a test runs it, and fails where CI is true and it is missing
 * @property {() => void} [prepare]
 * @property {string} setting what it has to be told, for docs/verify-a-token.md
 * @property {'ES256' | 'RS256'} [knows] RS256: of what postern signs, it knows this alone
 * @property {readonly string[]} known the cases and scenarios that it fails
 * @property {readonly string[]} [olderFails] those that it failed as well before its distribution mended them
 */

/** @type {(command: readonly [string, ...string[]]) => boolean} */
const runs = ([file, ...args]) => spawnSync(file, args, { stdio: 'ignore' }).status === 0;

/** @type {(name: string) => Needs} */
const tool = (name) => ({
  isThere: () => runs(['sh', '-c', `command -v ${name}`]),
  remedy: `${name} is missing`,
});
/** @type {(modules: string, debian: string) => Needs} */
const python = (modules, debian) => ({
  isThere: () => existsSync(PYTHON) && runs([PYTHON, '-c', `import ${modules}`]),
  remedy: `apt-get install ${debian}`,
});
/** @type {Needs} */
const NODE = { isThere: () => true, remedy: '' };
/** @type {Needs} */
const NPM = {
  isThere: () => existsSync(`${OTHERS}node_modules/express-jwt`),
  remedy: 'npm ci --prefix test/libraries',
};
/** @type {(module: string, debian: string) => Needs} */
const perl = (modules, debian) => ({
  isThere: () => runs(['perl', ...modules.split(' '), '-e', '1']),
  remedy: `apt-get install ${debian}`,
});

/** Builds a program of Go; its modules come from the module proxy the first time. */
const goBuild = (/** @type {string} */ folder) => () =>
  void execFileSync('go', ['build', '-o', 'verify', '.'], { cwd: folder });

/** @type {readonly Program[]} */
export const EXAMPLES = [
  {
    label: 'JavaScript: @postern/verifier',
    name: 'verify-node',
    folder: example('verify-node'),
    command: ['node', 'verify.mjs'],
    readsStatusLists: true,
    needs: NODE,
    inCi: true,
    setting: 'nothing',
    known: [],
  },
  ...['Express', 'Hono', 'Fastify'].map((framework) => ({
    label: `JavaScript: @postern/verifier in ${framework}`,
    name: `verify-${framework.toLowerCase()}`,
    folder: example(`verify-${framework.toLowerCase()}`),
    command: /** @type {const} */ (['node', 'verify.mjs']),
    readsStatusLists: true,
    needs: NODE,
    inCi: true,
    setting: 'nothing',
    known: [],
  })),
  {
    label: 'JavaScript: jose',
    name: 'verify-jose',
    folder: example('verify-jose'),
    command: ['node', 'verify.mjs'],
    needs: NODE,
    inCi: true,
    setting: "`typ: 'at+jwt'`, `requiredClaims`",
    known: ['a rotation without notice'],
  },
  {
    label: 'JavaScript: jsonwebtoken, jwks-rsa',
    name: 'verify-jsonwebtoken',
    folder: example('verify-jsonwebtoken'),
    command: ['node', 'verify.mjs'],
    needs: NODE,
    inCi: true,
    setting: '`algorithms`; `typ` and `exp` by hand',
    known: ['crit', 'a storm of unknown kids'],
  },
  {
    label: 'Python: PyJWT',
    name: 'verify-python',
    folder: example('verify-python'),
    command: [PYTHON, 'verify.py'],
    needs: python('jwt, cryptography', 'python3-jwt python3-cryptography'),
    inCi: true,
    setting: '`require`; `typ` by hand',
    known: ['exp as a text', 'a storm of unknown kids'],
    // Debian's 2.6.0-1 accepts it, 2.6.0-1+deb12u1 does not.
    olderFails: ['crit'],
  },
  {
    label: 'Go: golang-jwt, keyfunc',
    name: 'verify-go',
    folder: example('verify-go'),
    command: ['./verify'],
    needs: tool('go'),
    inCi: true,
    prepare: goBuild(example('verify-go')),
    setting: '`WithValidMethods`, `WithExpirationRequired`; `typ` by hand',
    known: ['crit'],
  },
  {
    label: 'Java: nimbus-jose-jwt',
    name: 'verify-java',
    folder: example('verify-java'),
    command: ['java', '-jar', 'target/verify.jar'],
    needs: tool('mvn'),
    inCi: false,
    prepare: () =>
      void execFileSync('mvn', ['-q', '-B', 'package'], { cwd: example('verify-java') }),
    setting: '`DefaultJOSEObjectTypeVerifier` of `at+jwt`',
    known: [],
  },
  {
    label: 'Rust: jsonwebtoken',
    name: 'verify-rust',
    folder: example('verify-rust'),
    command: ['target/release/verify'],
    needs: tool('cargo'),
    inCi: false,
    prepare: () =>
      void execFileSync('cargo', ['build', '-q', '--release', '--locked'], {
        cwd: example('verify-rust'),
      }),
    setting: '`set_required_spec_claims`, `validate_nbf`; `typ` by hand',
    known: ['crit'],
  },
];

/** What is left to the caller by everything that is built on jsonwebtoken and jwks-rsa. */
const JSONWEBTOKEN_ALONE = [
  'typ JWT',
  'typ rt+jwt',
  'no typ',
  'crit',
  'no exp',
  'a storm of unknown kids',
];

/** What must be accepted, to one that does not know the kit's ES256. */
const ALL_THAT_IS_GOOD = [
  'good',
  'with roles',
  'without a status list',
  'a storm of unknown kids',
  'the issuer is down',
  'a rotation without notice',
];

/** @type {(name: string, label: string, more: Pick<Program, 'setting' | 'known' | 'knows'>) => Program} */
const npm = (name, label, more) => ({
  label: `JavaScript: ${label}`,
  name,
  folder: OTHERS,
  command: ['node', 'judges.mjs', name],
  needs: NPM,
  inCi: true,
  ...more,
});
/** @type {(name: string, label: string, more: Pick<Program, 'needs' | 'setting' | 'known'>) => Program} */
const py = (name, label, more) => ({
  label: `Python: ${label}`,
  name,
  folder: OTHERS,
  command: [PYTHON, 'judges.py', name],
  inCi: true,
  ...more,
});

/** @type {readonly Program[]} */
export const LIBRARIES = [
  npm('express-oauth2-jwt-bearer', 'express-oauth2-jwt-bearer', {
    setting: "`tokenSigningAlg: 'ES256'`, `strict: true`",
    known: ['a rotation without notice'],
  }),
  npm('express-jwt', 'express-jwt, jwks-rsa', {
    setting: '`algorithms`',
    known: JSONWEBTOKEN_ALONE,
  }),
  npm('koa-jwt', 'koa-jwt, jwks-rsa', { setting: '`algorithms`', known: JSONWEBTOKEN_ALONE }),
  npm('passport-jwt', 'passport-jwt, jwks-rsa', {
    setting: '`algorithms`',
    known: JSONWEBTOKEN_ALONE,
  }),
  npm('fastify-jwt', '@fastify/jwt, get-jwks', {
    setting: "`algorithms`, `checkTyp: 'at+jwt'`",
    known: ['no issuer', 'no audience', 'no exp', 'a storm of unknown kids'],
  }),
  npm('fast-jwt', 'fast-jwt, get-jwks', {
    setting: "`algorithms`, `checkTyp: 'at+jwt'`, `requiredClaims`",
    known: ['a storm of unknown kids'],
  }),
  npm('aws-jwt-verify', 'aws-jwt-verify', {
    setting: 'an `https` issuer',
    known: ['typ JWT', 'typ rt+jwt', 'no typ', 'crit', 'no exp'],
  }),
  npm('oauth4webapi', 'oauth4webapi', {
    setting: '`validateJwtAccessToken`',
    known: ['a rotation without notice'],
  }),
  npm('hono-jwk', "hono's jwk", {
    setting: "`verification: { typ: 'at+jwt' }`",
    known: ['no exp', 'a storm of unknown kids', 'the issuer is down'],
  }),
  npm('fastify-jwt-jwks', 'fastify-jwt-jwks', {
    setting: '`tokens.algorithm = "RS256"`',
    knows: 'RS256',
    known: ALL_THAT_IS_GOOD,
  }),
  npm('okta', '@okta/jwt-verifier', {
    setting: '`tokens.algorithm = "RS256"`',
    knows: 'RS256',
    known: ALL_THAT_IS_GOOD,
  }),
  py('authlib', 'Authlib', {
    needs: python('authlib', 'python3-authlib'),
    setting: '`essential` claims; `typ` by hand',
    known: ['a rotation without notice'],
  }),
  py('jwcrypto', 'jwcrypto', {
    needs: python('jwcrypto', 'python3-jwcrypto'),
    setting: '`algs`, `check_claims`; `typ` by hand',
    known: ['a rotation without notice'],
  }),
  py('python-jose', 'python-jose', {
    needs: python('jose', 'python3-jose'),
    setting: '`require_*`; `typ` by hand',
    known: ['kid as a path', 'crit', 'exp as a text', 'a rotation without notice'],
  }),
  {
    label: 'Ruby: ruby-jwt',
    name: 'ruby-jwt',
    folder: OTHERS,
    command: ['ruby', 'ruby-jwt.rb'],
    needs: {
      isThere: () => runs(['ruby', '-e', 'require "jwt"']),
      remedy: 'apt-get install ruby ruby-jwt',
    },
    inCi: true,
    setting: '`required_claims`; `typ` by hand',
    known: ['crit', 'exp as a text', 'a rotation without notice'],
  },
  {
    label: 'Go: go-oidc',
    name: 'go-oidc',
    folder: `${OTHERS}go-oidc/`,
    command: ['./verify'],
    needs: tool('go'),
    inCi: true,
    prepare: goBuild(`${OTHERS}go-oidc/`),
    setting: '`SupportedSigningAlgs`; `typ` by hand',
    known: ['exp as a text', 'a storm of unknown kids'],
  },
  {
    label: 'Perl: Crypt::JWT',
    name: 'crypt-jwt',
    folder: OTHERS,
    command: ['perl', 'judges.pl', 'crypt-jwt'],
    needs: perl('-MCrypt::JWT', 'libcrypt-jwt-perl'),
    inCi: true,
    setting: '`accepted_alg`, `verify_*`; `typ` by hand',
    known: ['crit', 'exp as a text', 'a rotation without notice'],
  },
  {
    label: 'Apache: mod_auth_openidc',
    name: 'mod-auth-openidc',
    folder: OTHERS,
    command: ['node', 'mod-auth-openidc.mjs'],
    needs: {
      isThere: () => existsSync('/usr/lib/apache2/modules/mod_auth_openidc.so'),
      remedy: 'apt-get install apache2 libapache2-mod-auth-openidc',
    },
    inCi: false,
    setting: '`OIDCOAuthVerifyJwksUri`, `Require claim iss:` and `aud:`',
    known: [
      'typ JWT',
      'typ rt+jwt',
      'no typ',
      'crit',
      'no exp',
      'not yet valid',
      'exp as a text',
      'a storm of unknown kids',
    ],
  },
  {
    label: 'Perl: Mojo::JWT',
    name: 'mojo-jwt',
    folder: OTHERS,
    command: ['perl', 'judges.pl', 'mojo-jwt'],
    needs: perl('-MMojo::JWT -MCrypt::OpenSSL::RSA', 'libmojo-jwt-perl libcrypt-openssl-rsa-perl'),
    inCi: true,
    setting: '`tokens.algorithm = "RS256"`; `iss`, `aud`, `typ` by hand',
    knows: 'RS256',
    known: ALL_THAT_IS_GOOD,
  },
];

/**
 * Whether a program fails what is known that it fails, and nothing else.
 *
 * @param {Program} program
 * @param {readonly string[]} failures `name: what it did`
 */
export function isAsKnown({ known }, failures) {
  const names = failures.map((failure) => failure.slice(0, failure.lastIndexOf(':')));
  return [...names].sort().join() === [...known].sort().join();
}
