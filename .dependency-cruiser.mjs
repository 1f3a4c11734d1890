/**
 * The layers of src/ and who may use which package. Left never imports right; type imports count:
 *
 * lib, refusal ← crypto, db ← features/<name>/config, config ← core ← delivery, http ← features/<name> ← app ← cli ← main
 *
 * TypeScript 7 has no JavaScript API, so imports are read by swc (`parser`), which keeps type imports.
 */
const LIB = '^src/(?:lib/|refusal\\.ts$)';
const FEATURE_CONFIG = '^src/features/[^/]+/config\\.ts$';
const PACKAGE_JSON = '^package\\.json$';

/** Each layer with what lies to its left; itself is allowed always. */
const LAYERS = [
  { name: 'lib', path: '^src/lib/', imports: [] },
  { name: 'refusal', path: '^src/refusal\\.ts$', imports: ['^src/lib/'] },
  { name: 'crypto', path: '^src/crypto/', imports: [LIB] },
  { name: 'db', path: '^src/db/', imports: [LIB] },
  { name: 'feature-config', path: FEATURE_CONFIG, imports: ['^src/lib/'] },
  { name: 'config', path: '^src/config/', imports: [LIB, '^src/(?:crypto|db)/', FEATURE_CONFIG] },
  // The section of one feature means nothing to core: it is handed values.
  { name: 'core', path: '^src/core/', imports: [LIB, '^src/(?:crypto|db)/'] },
  { name: 'delivery', path: '^src/delivery/', imports: [LIB, '^src/(?:crypto|db|core|config)/'] },
  { name: 'http', path: '^src/http/', imports: [LIB, '^src/(?:crypto|db|core|config)/'] },
  {
    name: 'features',
    path: '^src/features/',
    imports: [LIB, '^src/(?:crypto|db|core|config|delivery|http)/'],
  },
  {
    name: 'app',
    path: '^src/app/',
    imports: [LIB, '^src/(?:crypto|db|core|config|delivery|http|features)/'],
  },
  {
    name: 'cli',
    path: '^src/cli/',
    imports: [LIB, '^src/(?:crypto|db|core|config|delivery|http|features|app)/', PACKAGE_JSON],
  },
  { name: 'main', path: '^src/main\\.ts$', imports: ['^src/'] },
];

/** Who may use a package or a module of Node. */
const PACKAGES = [
  { name: 'hono', uses: ['hono', '@hono/[^/]+'], in: '^src/(?:http|app)/' },
  {
    name: 'drizzle-orm',
    uses: ['drizzle-orm'],
    in: '^src/(?:db|core)/|^src/features/[^/]+/(?:tables|store)\\.ts$',
  },
  { name: 'jose', uses: ['jose'], in: '^src/(?:crypto|core/token|features/external)/' },
  { name: 'oauth4webapi', uses: ['oauth4webapi'], in: '^src/features/external/' },
  { name: 'libsql', uses: ['libsql', '@libsql/[^/]+'], in: '^src/db/' },
  { name: 'argon2', uses: ['[^/]*/?argon2[^/]*'], in: '^src/crypto/' },
  { name: 'bcrypt', uses: ['bcryptjs'], in: '^src/crypto/' },
  { name: 'libphonenumber', uses: ['libphonenumber-js'], in: '^src/core/sms/' },
  { name: 'prom-client', uses: ['prom-client'], in: '^src/app/' },
  { name: 'commander-pino', uses: ['commander', 'pino'], in: '^src/cli/' },
];

export default {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'resolvable',
      comment: 'An import that resolves to nothing.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'has-a-layer',
      comment: 'A module outside every layer: give it a folder, or the folder a layer.',
      severity: 'error',
      from: { path: '^src/', pathNot: LAYERS.map(({ path }) => path) },
      to: {},
    },
    {
      name: 'declared',
      comment: 'The program uses what package.json lists under dependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    ...LAYERS.map(({ name, path, imports }) => ({
      name: `layer-${name}`,
      comment: `${name} imports only itself and what lies to its left.`,
      severity: 'error',
      from: { path, ...(name === 'features' ? { pathNot: FEATURE_CONFIG } : {}) },
      to: {
        path: ['^src/', PACKAGE_JSON],
        pathNot: name === 'feature-config' ? imports : [path, ...imports],
      },
    })),
    {
      name: 'feature-alone',
      comment: 'A feature never imports another; what two of them need belongs to core or http.',
      severity: 'error',
      from: { path: '^src/features/([^/]+)/' },
      to: { path: '^src/features/[^/]+/', pathNot: '^src/features/$1/' },
    },
    {
      name: 'core-without-http',
      comment: 'Core knows no protocol.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { path: '^(?:node:)?(?:https?|http2|net|tls|dgram)$', dependencyTypes: ['core'] },
    },
    {
      name: 'minting-in-core',
      comment: 'Only core makes sessions and tokens; the kernel is put together in app.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/core/|^src/app/kernel\\.ts$' },
      to: { path: '^src/core/token/issue\\.ts$' },
    },
    ...PACKAGES.map(({ name, uses, in: home }) => ({
      name: `package-${name}`,
      severity: 'error',
      from: { path: '^src/', pathNot: home },
      to: { path: `^node_modules/(?:${uses.join('|')})/` },
    })),
    {
      name: 'package-fs',
      comment:
        'Files are for the edge, the database, and the transport that writes messages as files.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot:
          '^src/(?:cli|db|config|lib)/|^src/main\\.ts$|^src/http/listen\\.ts$|^src/delivery/folder\\.ts$',
      },
      to: { path: '^(?:node:)?fs(?:/promises)?$', dependencyTypes: ['core'] },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
