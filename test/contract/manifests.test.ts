/** Compose and Kubernetes files against the image and the settings: no engine is needed for that. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config/parse.ts';

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const dockerfile = read('Dockerfile');
const USER = Number(/^USER (\d+)/m.exec(dockerfile)?.[1]);
const IMAGE = Object.fromEntries(
  [...dockerfile.matchAll(/(POSTERN_\w+)=(\S+)/g)].map(([, name = '', value = '']) => [
    name,
    value,
  ]),
);
const KEY = Buffer.from('0123456789abcdefghijklmnopqrstuv').toString('base64');

/** The configuration that a container has, with its secrets as they are mounted. */
function configOf(env: Record<string, string>, secrets: readonly string[]) {
  return parseConfig({
    env: { ...IMAGE, ...env, KUBERNETES_SERVICE_HOST: '10.0.0.1' },
    readSecretFile: (path) => {
      expect(secrets).toContain(path);
      return { text: KEY, isReadableByOthers: false };
    },
  }).config;
}

describe('compose.yaml', () => {
  const { services, secrets, volumes } = parse(read('examples/compose/compose.yaml'));
  const { postern, nginx } = services;

  test('its environment is a configuration, with the secret that is mounted', () => {
    expect(Object.keys(secrets)).toEqual(postern.secrets);
    const { server, secrets: keys } = configOf(postern.environment, [
      '/run/secrets/key_encryption_key',
    ]);
    expect(server.listen).toEqual([
      expect.objectContaining({ kind: 'unix', path: '/run/postern/postern.sock' }),
    ]);
    expect(keys.key_encryption_key).toHaveLength(32);
  });

  test('nothing is writable but its volumes, it has no capability and no port, and its socket is its own', () => {
    expect(postern).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    expect(postern.ports).toBeUndefined();
    expect(postern.volumes).toEqual(['data:/data', 'socket:/run/postern']);
    expect(volumes.socket.driver_opts.o).toContain(`uid=${USER},`);
    expect(nginx.volumes).toContain('socket:/run/postern:ro');
    expect(read('examples/compose/nginx.conf')).toContain('server unix:/run/postern/postern.sock;');
  });
});

describe('the Kubernetes manifests', () => {
  const documents = read('examples/kubernetes/postern.yaml')
    .split('\n---\n')
    .map((text) => parse(text));
  const of = (kind: string) => documents.find((one) => one.kind === kind);
  const { spec } = of('Deployment');
  const pod = spec.template.spec;
  const [container] = pod.containers;

  test('one replica that ends before the next starts, while the database is a file', () => {
    expect([spec.replicas, spec.strategy.type]).toEqual([1, 'Recreate']);
    expect(spec.selector.matchLabels).toEqual(spec.template.metadata.labels);
    expect(of('Service').spec.selector).toEqual(spec.selector.matchLabels);
  });

  test('its environment is a configuration, whose secret and folders are mounted', () => {
    const env = Object.fromEntries(
      container.env.map(({ name, value }: { name: string; value: string }) => [name, value]),
    );
    const config = configOf(env, ['/run/secrets/postern/key-encryption-key']);
    expect(config.server.listen).toEqual([
      { kind: 'tcp', host: '0.0.0.0', port: container.ports[0].containerPort },
    ]);
    expect(config.metrics.listen).toEqual([
      { kind: 'tcp', host: '0.0.0.0', port: container.ports[1].containerPort },
    ]);
    const mounts = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
    expect(mounts).toEqual(['/data', '/run/secrets/postern']);
    expect(config.database.url).toBe('file:/data/postern.db');
  });

  test('as the user of the image, without rights, on a root that is read-only', () => {
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: USER,
      fsGroup: USER,
    });
    expect(container.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod.automountServiceAccountToken).toBe(false);
  });

  test('probes: ready by the database, alive without it', () => {
    const paths = ['startupProbe', 'readinessProbe', 'livenessProbe'].map(
      (name) => container[name].httpGet.path,
    );
    expect(paths).toEqual(['/readyz', '/readyz', '/healthz']);
  });
});

test.each(['alerts.yaml', 'prometheus.yaml'])(
  '%s is YAML, and each rule says what to do',
  (name) => {
    const { groups = [] } = parse(read(`examples/grafana/${name}`));
    for (const { rules } of groups)
      for (const { alert, expr, labels, annotations } of rules)
        expect([
          alert,
          typeof expr,
          labels.severity,
          typeof annotations.summary,
          typeof annotations.action,
        ]).toEqual([alert, 'string', expect.stringMatching(/^(page|warn)$/), 'string', 'string']);
  },
);

test('Caddy and Traefik let no caller name somebody, and ask /verify', () => {
  expect(read('examples/caddy/Caddyfile')).toMatch(
    /request_header -X-Auth\*[\s\S]*request_header -X_Auth\*[\s\S]*forward_auth[\s\S]*uri \/verify/,
  );
  const { http } = parse(read('examples/traefik/dynamic.yaml'));
  const { verify, 'no-forged-identity': cleaned } = http.middlewares;
  expect(http.middlewares['metadata-path'].replacePath.path).toBe(
    '/.well-known/oauth-authorization-server',
  );
  expect(http.routers.app.middlewares).toEqual(['no-forged-identity', 'verify']);
  expect(verify.forwardAuth.address).toMatch(/\/verify$/);
  expect(Object.keys(cleaned.headers.customRequestHeaders)).toEqual(
    verify.forwardAuth.authResponseHeaders,
  );
});
