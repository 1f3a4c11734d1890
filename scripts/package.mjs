/**
 * `npm run package [-- linux-x64 linux-arm64] [--fast]`: of a binary that is built, a `.tar.xz` and a
 * `.deb` in dist/, with licences, systemd files, man page, completions, a bill of materials and
 * checksums. The same sources make the same bytes. `--fast` compresses little, for tests.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

const about = JSON.parse(readFileSync('package.json', 'utf8'));
const { values: options, positionals } = parseArgs({
  options: { fast: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const HERE = `${process.platform}-${process.arch}`;
/** @type {Readonly<Record<string, string>>} */
const DEBIAN = { 'linux-x64': 'amd64', 'linux-arm64': 'arm64' };
/** Every file of a package is as old as the sources are. */
const EPOCH = output('git', ['log', '-1', '--format=%ct']).trim() || '0';

/** @param {string} command @param {readonly string[]} args */
function output(command, args) {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1_048_576 });
}

/** The licences of what is in the binary: Node's, which names what it holds, and each package's. */
function thirdPartyLicences(/** @type {string} */ target) {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const node = readFileSync(
    join('packaging', target, 'node_modules', `node-${target}`, 'LICENSE'),
    'utf8',
  );
  const texts = Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(path))
    .map(([path, { version, license }]) => {
      const file = readdirSync(path).find((name) => /^(licen[cs]e|copying)/i.test(name));
      const text = file === undefined ? '' : readFileSync(join(path, file), 'utf8');
      return `${path.replace(/^.*node_modules\//, '')} ${version} (${license})\n\n${text}`;
    });
  return [`Node.js\n\n${node}`, ...texts].join(`\n${'-'.repeat(80)}\n`);
}

/**
 * The packages of npm, and the Node that carries them. `npm sbom --omit dev` leaves out what a dev
 * dependency needs as well, so the lock decides which ones are development's.
 */
function billOfMaterials(/** @type {string} */ target) {
  const sbom = JSON.parse(output('npm', ['sbom', '--sbom-format', 'cyclonedx']));
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  /** @typedef {{ 'bom-ref': string, name: string, version: string }} Component */
  const carried = new Set(
    Object.entries(packages)
      .filter(([, { dev }]) => dev !== true)
      .map(([path, { version }]) => `${path.replace(/^.*node_modules\//, '')}@${version}`),
  );
  const isCarried = (/** @type {Component} */ { name, version }) =>
    carried.has(`${name}@${version}`);
  sbom.components = sbom.components.filter(isCarried);
  const kept = new Set(sbom.components.map((/** @type {Component} */ one) => one['bom-ref']));
  kept.add(sbom.metadata.component['bom-ref']);
  sbom.dependencies = sbom.dependencies
    .filter((/** @type {{ ref: string }} */ { ref }) => kept.has(ref))
    .map((/** @type {{ ref: string, dependsOn: string[] }} */ { ref, dependsOn }) => ({
      ref,
      dependsOn: dependsOn.filter((one) => kept.has(one)),
    }));
  const parts = JSON.parse(readFileSync(join('packaging', target, 'package.json'), 'utf8'));
  const version = parts.optionalDependencies[`node-${target}`];
  sbom.components.push({
    'bom-ref': `node@${version}`,
    type: 'platform',
    name: 'node',
    version,
    purl: `pkg:generic/node@${version}`,
  });
  // Neither when nor under what number it was made changes what is in it.
  delete sbom.serialNumber;
  sbom.metadata.timestamp = new Date(Number(EPOCH) * 1000).toISOString();
  return `${JSON.stringify(sbom, null, 2)}\n`;
}

/**
 * @param {string} path
 * @param {string | Uint8Array} content
 * @param {number} [mode]
 */
function put(path, content, mode = 0o644) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
}

/** @param {string} from @param {string} to @param {number} [mode] */
function copy(from, to, mode = 0o644) {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

/** A folder with everything, as the archive has it. */
function assemble(/** @type {string} */ target, /** @type {string} */ folder) {
  const binary = join('dist', target === HERE ? 'postern' : `postern-${target}`);
  if (!existsSync(binary))
    throw new Error(`${binary} is missing: npm run build:binary -- ${target}`);
  copy(binary, join(folder, 'postern'), 0o755);
  for (const name of ['LICENSE', 'NOTICE', 'CHANGELOG.md', 'config.example.toml'])
    copy(name, join(folder, name));
  put(join(folder, 'THIRD-PARTY-LICENSES'), thirdPartyLicences(target));
  put(join(folder, 'sbom.cdx.json'), billOfMaterials(target));
  cpSync('examples/systemd', join(folder, 'systemd'), { recursive: true });
  copy('docs/postern.1', join(folder, 'postern.1'));
  // What they say hangs on no processor: the one that runs here is asked.
  for (const shell of ['bash', 'zsh', 'fish'])
    put(
      join(folder, 'completions', `postern.${shell}`),
      output(join('dist', 'postern'), ['completion', shell]),
    );
}

function archive(/** @type {string} */ target, /** @type {string} */ folder) {
  const name = `postern-${about.version}-${target}`;
  const file = join('dist', `${name}.tar.xz`);
  execFileSync(
    'tar',
    [
      '--create',
      '--sort=name',
      `--mtime=@${EPOCH}`,
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      `--transform=s,^\\.,${name},`,
      `--use-compress-program=xz -T0 ${options.fast ? '-0' : '-6'}`,
      `--file=${file}`,
      `--directory=${folder}`,
      '.',
    ],
    { stdio: 'inherit' },
  );
  return file;
}

/** @param {string} target @param {string} folder @param {string} root */
function debian(target, folder, root) {
  const doc = join(root, 'usr/share/doc/postern');
  copy(join(folder, 'postern'), join(root, 'usr/bin/postern'), 0o755);
  copy(join(folder, 'systemd/postern-run'), join(root, 'usr/sbin/postern-run'), 0o755);
  for (const unit of ['postern.service', 'postern.socket'])
    copy(join(folder, 'systemd', unit), join(root, 'lib/systemd/system', unit));
  copy(join(folder, 'systemd/postern.sysusers'), join(root, 'usr/lib/sysusers.d/postern.conf'));
  copy(join(folder, 'systemd/config.toml'), join(root, 'etc/postern/config.toml'), 0o640);
  mkdirSync(join(root, 'var/lib/postern'), { recursive: true });
  chmodSync(join(root, 'var/lib/postern'), 0o700);
  const man = gzipSync(readFileSync(join(folder, 'postern.1')), { level: 9 });
  put(join(root, 'usr/share/man/man1/postern.1.gz'), man);
  const shells = {
    bash: 'bash-completion/completions/postern',
    zsh: 'zsh/vendor-completions/_postern',
    fish: 'fish/vendor_completions.d/postern.fish',
  };
  for (const [shell, path] of Object.entries(shells))
    copy(join(folder, 'completions', `postern.${shell}`), join(root, 'usr/share', path));
  put(
    join(doc, 'copyright'),
    ['LICENSE', 'NOTICE', 'THIRD-PARTY-LICENSES']
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n'),
  );
  for (const name of ['config.example.toml', 'sbom.cdx.json', 'CHANGELOG.md'])
    copy(join(folder, name), join(doc, name));
  const size = Number(output('du', ['--summarize', '--block-size=1024', root]).split('\t')[0]);
  put(
    join(root, 'DEBIAN/control'),
    `Package: postern
Version: ${about.version}
Architecture: ${DEBIAN[target]}
Maintainer: postern
Installed-Size: ${size}
Depends: libc6 (>= 2.28), libstdc++6, libgcc-s1, passwd
Recommends: systemd
Section: net
Priority: optional
Description: small headless authentication service
 Sign-in for your services: JSON in, JWTs out, one file of state. The program
 carries its own Node; nothing else has to be installed.
`,
  );
  put(join(root, 'DEBIAN/conffiles'), '/etc/postern/config.toml\n');
  for (const name of ['postinst', 'prerm', 'postrm'])
    copy(join('packaging/debian', name), join(root, 'DEBIAN', name), 0o755);
  const file = join('dist', `postern_${about.version}_${DEBIAN[target]}.deb`);
  execFileSync(
    'dpkg-deb',
    ['--root-owner-group', '-Zxz', options.fast ? '-z0' : '-z6', '--build', root, file],
    {
      env: { ...process.env, SOURCE_DATE_EPOCH: EPOCH },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  return file;
}

/** @type {string[]} */
const made = [];
for (const target of positionals.length === 0 ? [HERE] : positionals) {
  const work = mkdtempSync(join(tmpdir(), 'postern-package-'));
  try {
    const folder = join(work, 'folder');
    const root = join(work, 'root');
    mkdirSync(root, { mode: 0o755 });
    mkdirSync(folder, { mode: 0o755 });
    assemble(target, folder);
    made.push(archive(target, folder), debian(target, folder, root));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
const sums = made.map(
  (file) => `${createHash('sha256').update(readFileSync(file)).digest('hex')}  ${basename(file)}\n`,
);
writeFileSync('dist/SHA256SUMS', sums.join(''));
process.stdout.write(sums.join(''));
