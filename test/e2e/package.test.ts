/**
 * The packages that `npm run package` made: the archive against its checksums, and the .deb really
 * installed, started by its units' lines and removed, over a copy of this machine that nobody else
 * sees (overlayfs in a mount namespace). Run by `npm run test:package`.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { newDirectory } from '../support/process.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIST = join(ROOT, 'dist');
const made = existsSync(DIST) ? readdirSync(DIST) : [];
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const deb = `postern_${version}_amd64.deb`;
const archive = `postern-${version}-linux-x64.tar.xz`;
const isThere = process.env['POSTERN_TEST_PACKAGES'] === '1' && made.includes(deb);
if (!isThere) console.warn('no packages (npm run test:package): their tests are left out');
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isThere)('the archive', () => {
  test('is what its checksum says, and holds everything that an installation needs', () => {
    const sums = spawnSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: DIST, encoding: 'utf8' });
    expect([sums.status, sums.stdout]).toEqual([0, expect.stringContaining(`${archive}: OK`)]);
    const folder = newDirectory();
    execFileSync('tar', ['-xf', join(DIST, archive), '-C', folder]);
    const top = join(folder, `postern-${version}-linux-x64`);
    expect(readdirSync(top).sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'NOTICE',
      'THIRD-PARTY-LICENSES',
      'completions',
      'config.example.toml',
      'postern',
      'postern.1',
      'sbom.cdx.json',
      'systemd',
    ]);
    expect(readdirSync(join(top, 'completions')).sort()).toEqual([
      'postern.bash',
      'postern.fish',
      'postern.zsh',
    ]);
    const sbom = JSON.parse(readFileSync(join(top, 'sbom.cdx.json'), 'utf8'));
    const names = sbom.components.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(['node', 'hono', 'libsql', 'jose']));
    expect(names).not.toContain('vitest');
    const licences = readFileSync(join(top, 'THIRD-PARTY-LICENSES'), 'utf8');
    for (const name of ['Node.js', 'hono ', 'zod ']) expect(licences).toContain(name);
    const run = execFileSync(join(top, 'postern'), ['version'], { encoding: 'utf8' });
    expect(run).toContain(`postern ${version} (Node v24.`);
    // ASVS 13.4.1: no history, no sources, no configuration of ours.
    const all = readdirSync(top, { recursive: true, encoding: 'utf8' });
    expect(all.filter((path) => /\.git|node_modules|\.ts$|\.db$|\.key$/.test(path))).toEqual([]);
  });
});

/** What is done on the copy of the machine; each step prints a heading. */
const STEPS = `
set -eu
step() { echo "== $1"; }
dpkg -i /root/${deb} 2>&1
step modes
stat -c '%A %U:%G %n' /etc/postern /etc/postern/config.toml /var/lib/postern /usr/bin/postern
step verify
systemd-analyze verify --man=no postern.socket postern.service 2>&1
step security
SYSTEMD_COLORS=0 systemd-analyze security --offline=true /lib/systemd/system/postern.service | tail -1
step check
as() { setpriv --reuid=postern --regid=postern --clear-groups "$@"; }
cd /var/lib/postern
as postern config check --config /etc/postern/config.toml 2>&1
step serve
socket=/var/lib/postern/test.sock
umask 077
setpriv --reuid=postern --regid=postern --clear-groups systemd-socket-activate --listen=$socket -E PATH=$PATH postern serve --config /etc/postern/config.toml >/tmp/log 2>/tmp/err &
pid=$!
for try in $(seq 200); do [ -S $socket ] && break; sleep 0.05; done
ask() { curl --silent --show-error --unix-socket $socket "$@"; echo; }
ask http://localhost/readyz
ask -X POST -H 'content-type: application/json' -d '{"username":"ada","password":"correct horse battery staple"}' http://localhost/register | cut -c1-26
ask -X POST -H 'content-type: application/json' -d '{"username":"ada","password":"correct horse battery staple"}' http://localhost/login | cut -c1-26
as postern user list --config /etc/postern/config.toml
kill $pid
wait $pid && echo "ended $?" || echo "ended $?"
stat -c '%A %U:%G %n' /var/lib/postern/*.db /var/lib/postern/*.key
step upgrade
dpkg -i /root/${deb} 2>&1 | tail -1
step files
man -w postern
ls /usr/share/bash-completion/completions/postern
step purge
dpkg -P postern 2>&1
ls /var/lib/postern
`;

describe.skipIf(!isThere || !isRoot)('the .deb', () => {
  test('is installed, started by its units’ lines, upgraded, removed; accounts and key stay', () => {
    const place = newDirectory();
    chmodSync(place, 0o755);
    writeFileSync(join(place, 'steps.sh'), STEPS);
    const script = `
      mount -t tmpfs none ${place}/m && cd ${place}/m && mkdir u w r
      mount -t overlay overlay -o lowerdir=/,upperdir=u,workdir=w r
      mount -t tmpfs none r/tmp && chmod 1777 r/tmp
      cp ${join(DIST, deb)} r/root/ && cp ${place}/steps.sh r/root/
      exec chroot r sh /root/steps.sh`;
    execFileSync('mkdir', [join(place, 'm')]);
    const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-ec', script], {
      encoding: 'utf8',
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
    });
    expect([status, stderr]).toEqual([0, stderr]);
    const parts = stdout.split(/^== /m);
    const of = (heading: string): string =>
      parts.find((part) => part.startsWith(`${heading}\n`))?.slice(heading.length + 1) ?? '';
    expect(parts[0]).toContain('write your public_url');
    expect(of('modes').trim().split('\n')).toEqual([
      'drwxr-x--- root:postern /etc/postern',
      '-rw-r----- root:postern /etc/postern/config.toml',
      'drwx------ postern:postern /var/lib/postern',
      '-rwxr-xr-x root:root /usr/bin/postern',
    ]);
    expect(of('verify')).toBe('');
    const exposure = Number(
      /exposure level for postern\.service: ([\d.]+)/.exec(of('security'))?.[1],
    );
    expect(exposure).toBeLessThanOrEqual(2);
    expect(of('check')).toBe('/etc/postern/config.toml is fine.\n');
    const served = of('serve');
    expect(served).toContain('{"status":"ok"}');
    expect(served.match(/\{"status":"authenticated"/g)?.length).toBe(2);
    expect(served).toContain('ada');
    expect(served).toContain('ended 0');
    expect(served).toContain('-rw------- postern:postern /var/lib/postern/postern.db');
    expect(served).toContain('-rw------- postern:postern /var/lib/postern/key-encryption.key');
    expect(of('upgrade')).not.toContain('write your public_url');
    expect(of('files')).toContain('postern.1.gz');
    expect(of('purge')).toContain('/var/lib/postern holds every account and its key, and stays');
    expect(of('purge')).toMatch(/key-encryption\.key\npostern\.db/);
  });
});
