/**
 * The HTTP server of the conformance kit: the issuer's documents, a manifest, and a few controls.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/id.ts';
import { kitCases } from './kit-cases.ts';
import { KIT_AUDIENCE, KIT_TTL_SECONDS, createKitIssuer } from './kit-issuer.ts';
import type { KitIssuer } from './kit-issuer.ts';

export interface RunningKit {
  readonly url: string;
  close(): Promise<void>;
}

export interface KitOptions {
  readonly port: number;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The bits that POST /kit/revoke/N sets: each manifest gets its own, so that the kit can be run
 * repeatedly.
 */
const FIRST_LATE_INDEX = 2;
const LATE_INDICES = 4_000;

const STORM_TOKENS = 100;

interface State {
  isDown: boolean;
  manifests: number;
  readonly fetches: { jwks: number; status_lists: number };
}

interface Reply {
  readonly status: number;
  readonly type?: string;
  readonly maxAge?: number;
  readonly body?: unknown;
}

/** The steps by which a verifier is tested; docs/verify-a-token.md explains them. */
function scenarios(kit: KitIssuer, lateIndex: number): readonly unknown[] {
  const good = kit.token();
  const late = kit.token({
    claims: { status: { status_list: { idx: lateIndex, uri: `${kit.issuer}/status-lists/0` } } },
  });
  const storm = Array.from({ length: STORM_TOKENS }, (_, n) =>
    kit.token({ key: { ...kit.stranger, kid: `unknown-${n}` } }),
  );
  return [
    {
      name: 'a storm of unknown kids',
      steps: [
        { do: 'verify', token: good, expect: 'accept' },
        { do: 'post', path: '/kit/reset-counters' },
        ...storm.map((token) => ({ do: 'verify', token, expect: 'refuse' })),
        { do: 'counter', path: '/kit/counters', name: 'jwks', at_most: 2 },
      ],
    },
    {
      name: 'the issuer is down',
      steps: [
        { do: 'verify', token: good, expect: 'accept' },
        { do: 'post', path: '/kit/down' },
        { do: 'verify', token: good, expect: 'accept' },
        { do: 'post', path: '/kit/up' },
      ],
    },
    {
      name: 'a session ends',
      needs: 'status_list',
      steps: [
        { do: 'verify', token: late, expect: 'accept' },
        { do: 'post', path: `/kit/revoke/${lateIndex}` },
        { do: 'wait', seconds: KIT_TTL_SECONDS + 1 },
        { do: 'verify', token: late, expect: 'refuse' },
      ],
    },
    {
      name: 'a rotation without notice',
      steps: [
        { do: 'verify', token: good, expect: 'accept' },
        { do: 'post', path: '/kit/rotate', keep: 'token' },
        { do: 'verify', token: { kept: 'token' }, expect: 'accept' },
        { do: 'verify', token: good, expect: 'accept' },
      ],
    },
  ];
}

function manifest(kit: KitIssuer, state: State): unknown {
  const lateIndex = FIRST_LATE_INDEX + (state.manifests++ % LATE_INDICES);
  return {
    issuer: kit.issuer,
    audience: KIT_AUDIENCE,
    algorithms: ['ES256'],
    jwks_uri: `${kit.issuer}/.well-known/jwks.json`,
    status_list_ttl: KIT_TTL_SECONDS,
    cases: kitCases(kit),
    scenarios: scenarios(kit, lateIndex),
  };
}

type Handler = () => Reply | Promise<Reply>;

function handlers(kit: KitIssuer, state: State): ReadonlyMap<string, Handler> {
  const { fetches } = state;
  const document = (body: () => unknown, type: string, maxAge: number): Reply =>
    state.isDown ? { status: 503 } : { status: 200, type, maxAge, body: body() };
  const json = (body: unknown): Reply => ({ status: 200, type: 'application/json', body });
  const done: Reply = { status: 204 };
  const metadata = {
    issuer: kit.issuer,
    jwks_uri: `${kit.issuer}/.well-known/jwks.json`,
    token_endpoint: `${kit.issuer}/token`,
    response_types_supported: ['none'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
  const described = (): Reply => document(() => metadata, 'application/json', 300);
  return new Map<string, Handler>([
    ['GET /manifest.json', () => json(manifest(kit, state))],
    ['GET /.well-known/oauth-authorization-server', described],
    ['GET /.well-known/openid-configuration', described],
    [
      'GET /.well-known/jwks.json',
      () => {
        fetches.jwks++;
        return document(kit.jwks, 'application/jwk-set+json', 300);
      },
    ],
    [
      'GET /status-lists/0',
      () => {
        fetches.status_lists++;
        return document(kit.statusToken, 'application/statuslist+jwt', KIT_TTL_SECONDS);
      },
    ],
    ['GET /kit/counters', () => json(fetches)],
    [
      'POST /kit/reset-counters',
      () => {
        Object.assign(fetches, { jwks: 0, status_lists: 0 });
        return done;
      },
    ],
    [
      'POST /kit/down',
      () => {
        state.isDown = true;
        return done;
      },
    ],
    [
      'POST /kit/up',
      () => {
        state.isDown = false;
        return done;
      },
    ],
    [
      'POST /kit/rotate',
      async () => {
        await kit.rotate();
        return json({ token: kit.token() });
      },
    ],
  ]);
}

/** The bit that a request sets; null for any other request. */
function lateIndexOf(request: string): number | null {
  const [, digits] = /^POST \/kit\/revoke\/(\d{1,4})$/.exec(request) ?? [];
  const index = Number(digits);
  const isLate = index >= FIRST_LATE_INDEX && index < FIRST_LATE_INDEX + LATE_INDICES;
  return isLate ? index : null;
}

const revoked = (kit: KitIssuer, index: number) => (): Reply => {
  kit.revoke(index);
  return { status: 204 };
};

function send(response: ServerResponse, { status, type, maxAge, body }: Reply): void {
  const caching = maxAge === undefined ? 'no-store' : `public, max-age=${maxAge}`;
  response.writeHead(status, {
    ...(type === undefined ? {} : { 'content-type': type }),
    'cache-control': caching,
  });
  response.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
}

/** Listens on loopback only. @throws the system's error when the port is in use */
export async function startKit({ port, clock, random }: KitOptions): Promise<RunningKit> {
  let find: (name: string) => Handler | undefined = () => undefined;
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').split('?')[0];
    const handle = find(`${request.method} ${path}`) ?? (() => ({ status: 404 }));
    Promise.resolve()
      .then(handle)
      .then(
        (reply) => send(response, reply),
        () => send(response, { status: 500 }),
      );
  });
  const url = `http://127.0.0.1:${await listening(server, port)}`;
  const kit = await createKitIssuer(url, { clock, random });
  const routes = handlers(kit, {
    isDown: false,
    manifests: 0,
    fetches: { jwks: 0, status_lists: 0 },
  });
  find = (name) => {
    const index = lateIndexOf(name);
    return index === null ? routes.get(name) : revoked(kit, index);
  };
  return {
    url,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listening(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
