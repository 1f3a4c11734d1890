/**
 * mod_auth_openidc as an OAuth 2.0 resource server in a real Apache: judges each line of standard
 * input. ISSUER=… AUDIENCE=… node mod-auth-openidc.mjs
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

const { ISSUER = '', AUDIENCE = '', JWKS_URI = `${ISSUER}/.well-known/jwks.json` } = process.env;
const MODULES = '/usr/lib/apache2/modules';
const directory = mkdtempSync(join(tmpdir(), 'apache-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

// The module fetches keys by https alone: the kit's are passed on under a certificate made here.
const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost'];
execFileSync('openssl', [...request, '-keyout', key, '-out', cert], { stdio: 'ignore' });
const relay = createHttpsServer(
  { key: readFileSync(key), cert: readFileSync(cert) },
  async (_, response) => {
    const answer = await fetch(JWKS_URI);
    response.writeHead(answer.status, { 'content-type': 'application/json' });
    response.end(await answer.text());
  },
);
await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve));

const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = probe.address();
    probe.close(() => resolve(free));
  });
});
mkdirSync(join(directory, 'root'));
writeFileSync(join(directory, 'root/index.html'), 'in');
const modules = {
  mpm_event_module: 'mod_mpm_event',
  authn_core_module: 'mod_authn_core',
  authz_core_module: 'mod_authz_core',
  authz_user_module: 'mod_authz_user',
  auth_openidc_module: 'mod_auth_openidc',
  dir_module: 'mod_dir',
};
// The module checks iss and aud only if they are required as claims.
writeFileSync(
  join(directory, 'httpd.conf'),
  `ServerRoot "${directory}"
ServerName localhost
Listen 127.0.0.1:${port}
PidFile "${directory}/pid"
ErrorLog "/dev/stderr"
${Object.entries(modules)
  .map(([name, file]) => `LoadModule ${name} ${MODULES}/${file}.so`)
  .join('\n')}
DocumentRoot "${directory}/root"
DirectoryIndex index.html
OIDCOAuthVerifyJwksUri https://127.0.0.1:${relay.address().port}/
OIDCOAuthSSLValidateServer Off
OIDCOAuthAcceptTokenAs header
<Location />
  AuthType oauth20
  <RequireAll>
    Require claim iss:${ISSUER}
    Require claim aud:${AUDIENCE}
  </RequireAll>
</Location>
`,
);
const apache = spawn('/usr/sbin/apache2', ['-X', '-f', join(directory, 'httpd.conf')], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
process.on('exit', () => apache.kill('SIGKILL'));
process.once('SIGTERM', () => process.exit());

const ask = async (token) => {
  const headers = { authorization: `Bearer ${token}` };
  return (await fetch(`http://127.0.0.1:${port}/`, { headers })).status;
};
for (let tries = 0; tries < 100; tries++) {
  if (await ask('').catch(() => null)) break;
  await wait(50);
}
for await (const token of createInterface({ input: process.stdin }))
  console.log((await ask(token)) === 200 ? 'accept' : 'refuse');
process.exit();
