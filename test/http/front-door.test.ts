/**
 * What stands before every handler: bodies, methods, targets, framing, request ids, and the headers
 * of every answer.
 */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Feature } from '../../src/features/feature.ts';
import { features } from '../../src/features/index.ts';
import { documentBytes } from '../../src/http/document-bytes.ts';
import { document, route } from '../../src/http/route.ts';
import { PASSWORD, createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { openSocket, request, sendRaw } from '../support/raw.ts';
import type { RawReply } from '../support/raw.ts';
import { goodBody, hostileBodies } from './bodies.ts';

/** Routes that break in every way that a handler can. */
const broken: Feature = {
  name: 'broken',
  tokenTypes: [],
  create: () => ({
    routes: () => [
      route({
        method: 'get',
        path: '/broken/sync',
        tag: 'T',
        summary: 's',
        security: 'public',
        status: 204,
        problems: [],
        handle: () => {
          throw new Error('secret-of-a-handler');
        },
      }),
      route({
        method: 'get',
        path: '/broken/async',
        tag: 'T',
        summary: 's',
        security: 'public',
        status: 204,
        problems: [],
        handle: () => Promise.reject(new Error('secret-of-a-handler')),
      }),
      route({
        method: 'get',
        path: '/broken/reply',
        tag: 'T',
        summary: 's',
        security: 'public',
        status: 200,
        reply: z.object({ a: z.string() }),
        problems: [],
        handle: () => JSON.parse('{"a":1}'),
      }),
      route({
        method: 'get',
        path: '/broken/undeclared',
        tag: 'T',
        summary: 's',
        security: 'public',
        status: 204,
        problems: [],
        handle: () => {
          throw Object.assign(new Error(), { getResponse: () => new Response('x') });
        },
      }),
      document({
        path: '/broken/document',
        tag: 'T',
        summary: 's',
        contentType: 'text/plain',
        maxAgeSeconds: 1,
        problems: [],
        current: () => {
          throw new Error('secret-of-a-handler');
        },
      }),
      document({
        path: '/whole/{name}.txt',
        tag: 'T',
        summary: 's',
        contentType: 'text/plain',
        maxAgeSeconds: 1,
        problems: [],
        current: ({ name }) => documentBytes(name ?? ''),
      }),
    ],
  }),
};

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ features: [...features, broken] });
});
afterAll(() => app.stop());

const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
};

/** What holds of every refusal, however it came about. */
function expectRefusal(
  reply: RawReply | undefined,
  status: number | readonly number[],
  code?: string,
): void {
  expect(typeof status === 'number' ? [status] : status).toContain(reply?.status);
  expect(reply?.headers).toMatchObject(ALWAYS);
  expect(reply?.headers['content-type']).toBe('application/problem+json');
  expect(reply?.headers['cache-control']).toBe('no-store');
  expect(
    reply?.headers['server'] ?? reply?.headers['x-powered-by'] ?? reply?.headers['via'],
  ).toBeUndefined();
  const body = JSON.parse(reply?.body ?? '');
  expect(body.status).toBe(reply?.status);
  expect(body.request_id).toBe(reply?.headers['x-request-id']);
  expect(body.type).toBe(`urn:postern:problem:${body.code}`);
  expect(reply?.body).not.toMatch(/node|hono|v\d+\.\d+|postern\/|stack|\.ts|HPE_/i);
  if (code !== undefined) expect(body.code).toBe(code);
}

const login = { 'content-type': 'application/json' };
const refusedBody = (raw: string | Uint8Array, headers: Record<string, string> = login) =>
  app.call('POST', '/login', { raw, headers });

describe('bodies (H04, G3)', () => {
  test('a good body is read, wrong as the name is', async () =>
    expect((await refusedBody(goodBody)).body.code).toBe('invalid_credentials'));

  test.each(hostileBodies)('%s is refused', async (_, raw, status, code) => {
    const reply = await refusedBody(raw);
    expect([reply.status, reply.body.code]).toEqual([status, code]);
    expect(reply.headers.get('content-type')).toBe('application/problem+json');
  });

  test('eight levels are read', async () => {
    const { access } = await app.register();
    const body = '{"user_metadata":{"a":[[[[[[1]]]]]]}}';
    expect((await app.call('PATCH', '/me', { token: access, raw: body })).status).toBe(200);
    expect(
      (await app.call('PATCH', '/me', { token: access, raw: body.replace('[1]', '[[1]]') })).status,
    ).toBe(400);
  });

  test('a gzip body is refused, and so is every other coding', async () => {
    for (const coding of ['gzip', 'deflate', 'br', 'x-gzip', 'gzip, identity', 'GZIP']) {
      const reply = await refusedBody(gzipSync(goodBody), { ...login, 'content-encoding': coding });
      expect([coding, reply.status, reply.body.code]).toEqual([
        coding,
        415,
        'unsupported_media_type',
      ]);
    }
    expect((await refusedBody(goodBody, { ...login, 'content-encoding': 'identity' })).status).toBe(
      401,
    );
  });

  test('unknown members are named, and nothing that was sent is repeated but their names', async () => {
    const { body } = await refusedBody(
      '{"username":"canary-name","password":"canary-password","email_verified":true,"a/b~c":1}',
    );
    expect(
      body.errors.map(({ pointer, code }: { pointer: string; code: string }) => [pointer, code]),
    ).toEqual([
      ['/email_verified', 'unknown_member'],
      ['/a~1b~0c', 'unknown_member'],
    ]);
    expect(JSON.stringify(body)).not.toContain('canary');
  });
});

describe('content types (H05)', () => {
  const body = JSON.stringify({ username: 'nobody', password: PASSWORD });
  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json;charset=utf-7',
    'application/json; charset=utf-16',
    'application/json; charset=utf-8; a=b',
    'application/jsonx',
    'application/problem+json',
    'text/json',
    'application/json, text/plain',
    'a',
    '',
  ])('%s is 415', async (type) => {
    const reply = await refusedBody(body, { 'content-type': type });
    expect([reply.status, reply.body.code]).toEqual([415, 'unsupported_media_type']);
  });

  test('no content type is 415', async () => {
    const { replies } = await sendRaw(
      app.url,
      request('POST /login', [`Content-Length: ${body.length}`]) + body,
      { replies: 1 },
    );
    expectRefusal(replies[0], 415, 'unsupported_media_type');
  });

  test.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
  ])('%s is read', async (type) => {
    expect((await refusedBody(body, { 'content-type': type })).body.code).toBe(
      'invalid_credentials',
    );
  });
});

describe('bodies that are too large', () => {
  const chunked = (bytes: number) => `${bytes.toString(16)}\r\n${'a'.repeat(bytes)}\r\n`;

  test('65,536 bytes are read, 65,537 are not', async () => {
    const of = (bytes: number) => `{"username":"a","password":"b"${' '.repeat(bytes - 31)}}`;
    expect((await refusedBody(of(65_536))).status).toBe(401);
    expect((await refusedBody(of(65_537))).status).toBe(413);
  });

  test('413 by Content-Length comes before the body, and the connection closes', async () => {
    const { replies, closed } = await sendRaw(
      app.url,
      request('POST /login', ['Content-Type: application/json', 'Content-Length: 65537']),
    );
    expectRefusal(replies[0], 413, 'content_too_large');
    expect(closed).toBe(true);
  });

  test('413 of a chunked body comes at its 65,537th byte, and the connection closes', async () => {
    const { replies, closed } = await sendRaw(
      app.url,
      request('POST /login', ['Content-Type: application/json', 'Transfer-Encoding: chunked']) +
        chunked(65_537),
    );
    expectRefusal(replies[0], 413, 'content_too_large');
    expect(closed).toBe(true);
  });

  test('who sends megabytes still hears the 413', async () => {
    for (const framing of ['Content-Length: 8000000', 'Transfer-Encoding: chunked']) {
      const body = framing.startsWith('C')
        ? 'a'.repeat(8_000_000)
        : chunked(8_000_000) + '0\r\n\r\n';
      const { replies } = await sendRaw(
        app.url,
        request('POST /login', ['Content-Type: application/json', framing]) + body,
      );
      expectRefusal(replies[0], 413, 'content_too_large');
    }
  });

  test('an unread body is not parsed as the next request', async () => {
    const hidden = request('GET /healthz');
    for (const line of [
      'POST /nope',
      'PUT /me',
      'POST /me/sessions',
      'GET /.well-known/jwks.json',
      'OPTIONS /me',
      'POST /logout/all',
      'GET /me',
    ]) {
      const { replies } = await sendRaw(
        app.url,
        request(line, ['Content-Type: application/json', `Content-Length: ${hidden.length}`]) +
          hidden,
      );
      expect([line, replies.length]).toEqual([line, 1]);
      expect(replies[0]?.body).not.toBe('{"status":"ok"}');
    }
  });
});

describe('routes without a body', () => {
  test('take none, or {}', async () => {
    for (const raw of [undefined, '{}', ' { } ']) {
      const { access } = await app.register();
      expect([
        raw,
        (
          await app.call('POST', '/logout/all', {
            token: access,
            ...(raw === undefined ? {} : { raw }),
          })
        ).status,
      ]).toEqual([raw, 204]);
    }
    const { access } = await app.register();
    const { replies } = await sendRaw(
      app.url,
      request('POST /logout/all', [
        `Authorization: Bearer ${access}`,
        'Content-Length: 0',
        'Content-Type: text/plain',
      ]),
      { replies: 1 },
    );
    expect(replies[0]?.status).toBe(204);
  });

  test('take an empty chunked body for none', async () => {
    const { access } = await app.register();
    const { replies } = await sendRaw(
      app.url,
      request('POST /logout/all', [
        `Authorization: Bearer ${access}`,
        'Transfer-Encoding: chunked',
      ]) + '0\r\n\r\n',
      { replies: 1 },
    );
    expect(replies[0]?.status).toBe(204);
  });

  test('refuse anything else', async () => {
    const { access } = await app.register();
    for (const raw of ['{"a":1}', '[]', 'null', '""', '0'])
      expect([raw, (await app.call('POST', '/logout/all', { token: access, raw })).status]).toEqual(
        [raw, 422],
      );
    expect(
      (
        await app.call('POST', '/logout/all', {
          token: access,
          raw: 'x',
          headers: { 'content-type': 'text/plain' },
        })
      ).status,
    ).toBe(415);
    expect((await app.call('GET', '/me', { token: access })).status).toBe(200);
  });
});

describe('request ids', () => {
  const places: readonly (readonly [string, string])[] = [
    ['GET', '/healthz'],
    ['GET', '/me'],
    ['GET', '/nope'],
    ['PUT', '/me'],
    ['OPTIONS', '/me'],
    ['GET', '/.well-known/jwks.json'],
    ['GET', '/broken/sync'],
    ['GET', '/broken/document'],
    ['GET', '/keys/none.pem'],
  ];

  test('1 to 128 of [A-Za-z0-9._-] are kept on every answer, in the document and in the log', async () => {
    for (const id of ['a', 'A-1_b.c', 'x'.repeat(128)]) {
      for (const [method, path] of places) {
        const { headers, body } = await app.call(method, path, { headers: { 'x-request-id': id } });
        expect([path, headers.get('x-request-id')]).toEqual([path, id]);
        if (headers.get('content-type') === 'application/problem+json')
          expect(body.request_id).toBe(id);
      }
      expect(app.log.filter(({ request_id }) => request_id === id).length).toBeGreaterThanOrEqual(
        places.length,
      );
    }
  });

  test.each(['', 'x'.repeat(129), 'a b', 'a"b', 'a,b', 'ä', '<x>', '../x', 'a%0ab'])(
    '%j is replaced',
    async (id) => {
      for (const [method, path] of places) {
        const { replies } = await sendRaw(
          app.url,
          request(`${method} ${path}`, [`X-Request-Id: ${id}`, 'Connection: close']),
        );
        const given = replies[0]?.headers['x-request-id'];
        expect(given).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
        expect(given).not.toBe(id);
      }
    },
  );

  test('two of them are replaced, and no two requests get the same one', async () => {
    const { replies } = await sendRaw(
      app.url,
      request('GET /healthz', ['X-Request-Id: a', 'X-Request-Id: b']),
      { replies: 1 },
    );
    expect(replies[0]?.headers['x-request-id']).not.toMatch(/^[ab]$/);
    const ids = await Promise.all(
      Array.from({ length: 200 }, async () =>
        (await app.call('GET', '/healthz')).headers.get('x-request-id'),
      ),
    );
    expect(new Set(ids).size).toBe(200);
  });
});

describe('headers of every answer (ASVS 3.4, 13.4.6, 14.3.2)', () => {
  const answers: readonly (readonly [name: string, bytes: string, status: number])[] = [
    ['200', request('GET /healthz'), 200],
    ['200 document', request('GET /.well-known/jwks.json'), 200],
    ['304', request('GET /.well-known/jwks.json', ['If-None-Match: *']), 304],
    ['204', request('OPTIONS /me'), 204],
    [
      '400',
      request('POST /login', ['Content-Type: application/json', 'Content-Length: 1']) + 'x',
      400,
    ],
    ['400 unparsed', 'GET /healthz HTTP/1.1\nHost: a\n\n', 400],
    ['401', request('GET /me'), 401],
    ['404', request('GET /nope'), 404],
    ['405', request('PUT /me'), 405],
    ['405 unparsed', request('BREW /me'), 405],
    [
      '413',
      request('POST /login', ['Content-Type: application/json', 'Content-Length: 99999']),
      413,
    ],
    ['415', request('POST /login', ['Content-Length: 1']) + 'x', 415],
    [
      '422',
      request('POST /login', ['Content-Type: application/json', 'Content-Length: 2']) + '{}',
      422,
    ],
    ['431', request('GET /healthz', [`X-Long: ${'a'.repeat(32_000)}`]), 431],
    ['500 in a handler', request('GET /broken/sync'), 500],
    ['500 in a promise', request('GET /broken/async'), 500],
    ['500 in a reply', request('GET /broken/reply'), 500],
    ['500 by a foreign error', request('GET /broken/undeclared'), 500],
    ['500 in a document', request('GET /broken/document'), 500],
  ];
  test.each(answers)('%s', async (_, bytes, status) => {
    const { replies } = await sendRaw(app.url, bytes, { replies: 1 });
    expect(replies[0]?.status).toBe(status);
    expect(replies[0]?.headers).toMatchObject(ALWAYS);
    expect(replies[0]?.headers['x-request-id']).toMatch(/^[A-Za-z0-9._-]+$/);
    expect(
      Object.keys(replies[0]?.headers ?? {}).filter((name) =>
        /^(server|x-powered-by|via|x-aspnet|x-runtime)/.test(name),
      ),
    ).toEqual([]);
    if (status >= 400) expectRefusal(replies[0], status);
    else if (status === 200 && _ === '200')
      expect(replies[0]?.headers['cache-control']).toBe('no-store');
  });

  test('ASVS 16.5.1: an unexpected error reveals nothing to the caller, and the log has the details', async () => {
    for (const path of ['/broken/sync', '/broken/async', '/broken/document']) {
      const { body, headers } = await app.call('GET', path);
      expect(JSON.stringify(body)).not.toContain('secret-of-a-handler');
      const line = app.log.find(
        ({ request_id, event }) =>
          request_id === headers.get('x-request-id') && event === 'request.failed',
      );
      expect(line?.['exception.message']).toContain('secret-of-a-handler');
    }
  });

  test('HSTS is sent only where the public URL is https and the operator wants it', async () => {
    for (const [config, expected] of [
      ['[server]\nhsts = false', null],
      ['[server]\nhsts = true', ALWAYS['strict-transport-security']],
    ] as const) {
      const own = await createTestApp({ config });
      expect((await own.call('GET', '/healthz')).headers.get('strict-transport-security')).toBe(
        expected,
      );
      await own.stop();
    }
    const plain = await createTestApp({
      env: { POSTERN_SERVER_PUBLIC_URL: 'http://127.0.0.1:7400' },
    });
    expect(
      (await plain.call('GET', '/healthz')).headers.get('strict-transport-security'),
    ).toBeNull();
    await plain.stop();
  });
});

describe('methods (H06, ASVS 4.1.4, 13.4.4)', () => {
  const allow = async (line: string, headers: readonly string[] = []) => {
    const { replies } = await sendRaw(app.url, request(line, [...headers, 'Connection: close']));
    return replies[0];
  };

  test.each(['TRACE', 'PUT', 'PROPFIND', 'QUERY', 'PURGE', 'LINK', 'SEARCH', 'MKCOL'])(
    '%s of a path that exists is 405 with its Allow',
    async (method) => {
      const reply = await allow(`${method} /me`);
      expectRefusal(reply, 405, 'method_not_allowed');
      expect(reply?.headers['allow']?.split(', ').sort()).toEqual([
        'DELETE',
        'GET',
        'HEAD',
        'OPTIONS',
        'PATCH',
      ]);
    },
  );

  test.each(['BREW', 'get', 'GETT', 'x-y', 'TRACK'])(
    '%s, which no parser knows, is 405 with the methods that there are',
    async (method) => {
      const reply = await allow(`${method} /me`);
      expectRefusal(reply, 405, 'method_not_allowed');
      expect(reply?.headers['allow']).toMatch(/GET.*POST/);
    },
  );

  test('ASVS 13.4.6: the bare address says whose it is and where to go on, and no version', async () => {
    const { status, body, headers } = await app.call('GET', '/');
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(body).toEqual({
      name: 'postern',
      service: 'postern',
      links: {
        openapi: 'https://auth.example.com/openapi.json',
        jwks: 'https://auth.example.com/.well-known/jwks.json',
        metadata: 'https://auth.example.com/.well-known/oauth-authorization-server',
        health: 'https://auth.example.com/healthz',
      },
    });
    for (const link of Object.values(body.links))
      expect((await app.call('GET', new URL(String(link)).pathname)).status).toBe(200);
  });

  test('TRACE echoes nothing, wherever it goes', async () => {
    for (const path of ['/', '/me', '/nope', '/login']) {
      const reply = await allow(`TRACE ${path}`, [
        'X-Canary: canary',
        'Authorization: Bearer canary',
      ]);
      expectRefusal(reply, 405);
      expect(JSON.stringify(reply)).not.toContain('canary');
    }
  });

  test('CONNECT is 405, opens no tunnel, and ends the connection', async () => {
    const { replies, closed } = await sendRaw(
      app.url,
      `CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n${request('GET /healthz')}`,
    );
    expect([replies.length, closed]).toEqual([1, true]);
    expectRefusal(replies[0], 405);
  });

  test('HEAD of a route that changes state is 405, and of one that reads is GET without its body', async () => {
    for (const path of ['/login', '/refresh', '/logout', '/register', '/me/password']) {
      const { replies, text } = await sendRaw(
        app.url,
        request(`HEAD ${path}`, ['Connection: close']),
        { head: true },
      );
      expect([path, replies[0]?.status, replies[0]?.headers['allow']]).toEqual([
        path,
        405,
        'POST, OPTIONS',
      ]);
      expect(text.endsWith('\r\n\r\n')).toBe(true);
    }
    const { access } = await app.register();
    const { replies, text } = await sendRaw(
      app.url,
      request('HEAD /me', [`Authorization: Bearer ${access}`, 'Connection: close']),
      { head: true },
    );
    expect([replies[0]?.status, text.endsWith('\r\n\r\n')]).toEqual([200, true]);
    expect(
      (await sendRaw(app.url, request('HEAD /me', ['Connection: close']), { head: true }))
        .replies[0]?.status,
    ).toBe(401);
  });

  test('overriding a method by header, query or member is ignored or refused', async () => {
    const { access } = await app.register();
    for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']) {
      expect(
        (await app.call('GET', '/me', { token: access, headers: { [name]: 'DELETE' } })).status,
      ).toBe(200);
      expect((await app.call('GET', '/login', { headers: { [name]: 'POST' } })).status).toBe(405);
    }
    expect((await app.call('GET', '/me?_method=DELETE', { token: access })).status).toBe(200);
    expect(
      (await app.call('POST', '/me', { token: access, body: { _method: 'DELETE' } })).status,
    ).toBe(405);
    expect((await app.call('GET', '/me', { token: access })).status).toBe(200);
  });

  test('a method that is refused keeps the connection when nothing is left unread', async () => {
    const { replies, closed } = await sendRaw(
      app.url,
      request('PUT /me') + request('GET /nope') + request('GET /healthz'),
      { replies: 3 },
    );
    expect([replies.map(({ status }) => status), closed]).toEqual([[405, 404, 200], false]);
  });
});

describe('framing (H08, ASVS 4.2.1)', () => {
  const json = 'Content-Type: application/json';
  const hidden = request('GET /healthz');
  const smuggled: readonly (readonly [name: string, bytes: string, statuses: readonly number[]])[] =
    [
      [
        'Content-Length beside Transfer-Encoding',
        request('POST /login', [json, 'Content-Length: 4', 'Transfer-Encoding: chunked']) +
          '0\r\n\r\n' +
          hidden,
        [400],
      ],
      [
        'Transfer-Encoding beside Content-Length',
        request('POST /login', [
          json,
          'Transfer-Encoding: chunked',
          `Content-Length: ${hidden.length + 5}`,
        ]) +
          '0\r\n\r\n' +
          hidden,
        [400],
      ],
      [
        'two lengths that differ',
        request('POST /login', [json, 'Content-Length: 2', 'Content-Length: 3']) + '{}',
        [400],
      ],
      [
        'two lengths that agree',
        request('POST /login', [json, 'Content-Length: 2', 'Content-Length: 2']) + '{}' + hidden,
        [400],
      ],
      [
        'a list of lengths',
        request('POST /login', [json, 'Content-Length: 2, 2']) + '{}' + hidden,
        [400],
      ],
      [
        'a length with a sign',
        request('POST /login', [json, 'Content-Length: +2']) + '{}' + hidden,
        [400],
      ],
      [
        'a length in hexadecimal',
        request('POST /login', [json, 'Content-Length: 0x2']) + '{}' + hidden,
        [400],
      ],
      [
        'a length past 2^64',
        request('POST /login', [json, 'Content-Length: 18446744073709551618']) + '{}' + hidden,
        [400],
      ],
      ['a negative length', request('POST /login', [json, 'Content-Length: -1']) + hidden, [400]],
      [
        'xchunked',
        request('POST /login', [json, 'Transfer-Encoding: xchunked']) + '0\r\n\r\n' + hidden,
        [400],
      ],
      [
        'chunked twice',
        request('POST /login', [json, 'Transfer-Encoding: chunked, chunked']) +
          '0\r\n\r\n' +
          hidden,
        [400],
      ],
      [
        'gzip, chunked',
        request('POST /login', [json, 'Transfer-Encoding: gzip, chunked']) + '0\r\n\r\n' + hidden,
        [400],
      ],
      [
        'chunked in two lines',
        request('POST /login', [
          json,
          'Transfer-Encoding: identity',
          'Transfer-Encoding: chunked',
        ]) +
          '0\r\n\r\n' +
          hidden,
        [400],
      ],
      [
        'a tab before chunked',
        request('POST /login', [json, 'Transfer-Encoding:\x0bchunked']) + '0\r\n\r\n' + hidden,
        [400],
      ],
      [
        'a space before the colon',
        request('POST /login', [json, 'Transfer-Encoding : chunked']) + '0\r\n\r\n' + hidden,
        [400],
      ],
      [
        'a chunk size that is none',
        request('POST /login', [json, 'Transfer-Encoding: chunked']) + 'zz\r\n' + hidden,
        [400],
      ],
      ['a bare LF', 'GET /healthz HTTP/1.1\nHost: a\n\n' + hidden, [400]],
      ['a bare LF in a header', `GET /healthz HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n${hidden}`, [400]],
      [
        'a bare CR in a header',
        `GET /healthz HTTP/1.1\r\nHost: a\r\nX-A: b\rX-C: d\r\n\r\n${hidden}`,
        [400],
      ],
      ['a folded line', request('GET /healthz', ['X-A: b', ' c']) + hidden, [400]],
      [
        'a folded first line',
        `GET /healthz HTTP/1.1\r\n Host: a\r\nHost: a\r\n\r\n${hidden}`,
        [400],
      ],
      ['NUL in a value', request('GET /healthz', ['X-A: b\0c']) + hidden, [400]],
      ['NUL in a name', request('GET /healthz', ['X\0A: b']) + hidden, [400]],
      ['NUL in the target', request('GET /health\0z') + hidden, [400]],
      [
        'a header of 32 kB',
        request('GET /healthz', [`X-A: ${'a'.repeat(32_768)}`]) + hidden,
        [431],
      ],
      ['a target of 32 kB', request(`GET /${'a'.repeat(32_768)}`) + hidden, [431]],
      [
        '500 headers',
        request(
          'GET /healthz',
          Array.from({ length: 500 }, (_, i) => `X-${i}: a`),
        ),
        [400, 431],
      ],
      [
        '2,000 headers',
        request(
          'GET /healthz',
          Array.from({ length: 2_000 }, (_, i) => `X-${i}: a`),
        ),
        [400, 431],
      ],
      ['HTTP/0.9', 'GET /healthz\r\n\r\n', [400]],
      ['HTTP/3.0', 'GET /healthz HTTP/3.0\r\nHost: a\r\n\r\n', [400, 505]],
      ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 405]],
      ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', [400]],
    ];
  test.each(smuggled)('%s is refused and the connection closes', async (_, bytes, statuses) => {
    const { replies, closed, text } = await sendRaw(app.url, bytes);
    expect([replies.length, closed]).toEqual([1, true]);
    expectRefusal(replies[0], statuses);
    expect(text).not.toContain('{"status":"ok"}');
  });

  test('99 headers are no attack', async () => {
    const { replies } = await sendRaw(
      app.url,
      request(
        'GET /healthz',
        Array.from({ length: 95 }, (_, i) => `X-${i}: a`),
      ),
      { replies: 1 },
    );
    expect(replies[0]?.status).toBe(200);
  });

  test('pipelined requests are answered in order, each for itself', async () => {
    const { access } = await app.register();
    // A name of its own: those that others tried often have to wait.
    const body = '{"username":"in-a-pipe","password":"x"}';
    const bytes =
      request('GET /me', [`Authorization: Bearer ${access}`]) +
      request('POST /login', [json, `Content-Length: ${body.length}`]) +
      body +
      request('GET /me') +
      request('GET /nope') +
      request('GET /healthz');
    const { replies } = await sendRaw(app.url, bytes, { replies: 5 });
    expect(replies.map(({ status }) => status)).toEqual([200, 401, 401, 404, 200]);
  });

  test('Expect: 100-continue is answered, and an unknown expectation is ignored', async () => {
    const good = await sendRaw(
      app.url,
      request('POST /login', [json, 'Expect: 100-continue', 'Content-Length: 2']) + '{}',
      { replies: 1 },
    );
    expect(good.text.startsWith('HTTP/1.1 100 Continue\r\n\r\n')).toBe(true);
    expectRefusal(good.replies[0], 422);
    const odd = await sendRaw(
      app.url,
      request('POST /login', [json, 'Expect: 200-maybe', 'Content-Length: 2']) + '{}',
      { replies: 1 },
    );
    expectRefusal(odd.replies[0], [417, 422]);
  });

  test('an offer of another protocol is not taken up', async () => {
    for (const headers of [
      ['Connection: Upgrade', 'Upgrade: websocket'],
      [
        'Connection: Upgrade, HTTP2-Settings',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
      ],
    ]) {
      expect(
        (await sendRaw(app.url, request('GET /healthz', headers), { replies: 1 })).replies[0]
          ?.status,
      ).toBe(200);
    }
  });
});

describe('targets and hosts (G4, A02)', () => {
  const me = async (target: string, headers: readonly string[] = []) =>
    (await sendRaw(app.url, request(`GET ${target}`, [...headers, 'Connection: close'])))
      .replies[0];

  test('/%6de is /me, with the same guard', async () => {
    const { access, username } = await app.register();
    for (const target of [
      '/%6de',
      '/m%65',
      '/%6D%65',
      '/me?a=b',
      '/me?',
      'http://evil.example/me',
      'https://auth.example.com/%6de',
    ]) {
      const bare = await me(target);
      expect([target, bare?.status]).toEqual([target, 401]);
      expectRefusal(bare, 401, 'invalid_token');
      const reply = await me(target, [`Authorization: Bearer ${access}`]);
      expect([target, reply?.status, JSON.parse(reply?.body ?? '{}').username]).toEqual([
        target,
        200,
        username,
      ]);
      expect(app.log.at(-1)?.['http.route']).toBe('/me');
    }
  });

  test.each([
    '/me/',
    '//me',
    '/me//',
    '/ME',
    '/me;x=1',
    '/me%2f',
    '/me%00',
    '/me%20',
    '/me.',
    '/%256de',
    '/me%0d%0aX:y',
    '/x/../me',
    '/x/%2e%2e/me',
    '/./me',
    '/nope',
    '//',
  ])('%s is nothing: 404', async (target) => {
    const { access } = await app.register();
    expectRefusal(await me(target, [`Authorization: Bearer ${access}`]), 404, 'not_found');
  });

  test.each([
    'ftp://evil.example/me',
    '/%zz',
    '/%',
    '/%ff',
    '/%c0%af',
    'me',
    '*',
    '/me#x',
    '/\\me',
    '/me\\',
    '/mé',
    '/<x>',
    '/"',
    '/{id}',
    '/a|b',
    '/a`b',
    '/a^b',
  ])('%s is no target: 400', async (target) => {
    const { access } = await app.register();
    expectRefusal(await me(target, [`Authorization: Bearer ${access}`]), 400, 'malformed_request');
  });

  test('OPTIONS * is answered', async () => {
    const { replies } = await sendRaw(app.url, request('OPTIONS *'), { replies: 1 });
    expect(replies[0]?.headers).toMatchObject(ALWAYS);
  });

  test('a parameter is an id or nothing, however it is encoded', async () => {
    const { access } = await app.register();
    for (const id of [
      '%27%20OR%201=1--',
      '..%2f..%2fme',
      '%00',
      'a%0d%0ab',
      'x'.repeat(129),
      '%F0%9F%98%80',
      '%e2%80%a8',
      "'",
      '*',
    ]) {
      const { replies } = await sendRaw(
        app.url,
        request(`DELETE /me/sessions/${id}`, [
          `Authorization: Bearer ${access}`,
          'Connection: close',
        ]),
      );
      expectRefusal(replies[0], 404, 'not_found');
    }
  });

  test('text that follows a parameter is none of it', async () => {
    expect((await app.call('GET', '/whole/name.txt')).body).toBe('name');
    expect((await app.call('GET', '/whole/a.b.txt')).body).toBe('a.b');
    expect((await app.call('GET', '/whole/%6eame.txt')).body).toBe('name');
    for (const path of [
      '/whole/.txt',
      '/whole/name',
      '/whole/name.txt.x',
      '/whole/namextxt',
      '/whole/a%20b.txt',
    ])
      expect([path, (await app.call('GET', path)).status]).toEqual([path, 404]);
    expect((await app.call('GET', '/keys/none.pem')).body.code).toBe('not_found');
    const kid = app.kernel.signingKeys.published()[0]?.jwk.kid ?? '';
    const pem = await app.call('GET', `/keys/${kid}.pem`);
    expect([pem.status, pem.headers.get('content-type')]).toEqual([200, 'application/x-pem-file']);
    expect(pem.body).toMatch(/^-----BEGIN PUBLIC KEY-----/);
  });

  const host = (value: string, target = '/healthz') => `GET ${target} HTTP/1.1\r\n${value}\r\n\r\n`;

  test.each([
    'X-No: host',
    'Host:',
    'Host: a b',
    'Host: a/b',
    'Host: a@b',
    'Host: a\\b',
    'Host: a,b',
    'Host: a:b:c',
    'Host: [',
    'Host: [::1',
    'Host: a:123456',
    'Host: a:',
    'Host: :80',
    'Host: [::g]',
    'Host: ä',
    'Host: a?b',
    'Host: a#b',
    'Host: %61',
    'Host: a\r\nHost: b',
    'Host: a\r\nhost: a',
    `Host: ${'a'.repeat(300)}`,
  ])('%j: 400, at once', async (line) => {
    const { replies } = await sendRaw(app.url, host(line), { replies: 1 });
    expectRefusal(replies[0], 400, 'malformed_request');
  });

  test.each([
    'evil.example',
    'EVIL.example',
    'evil.example:8443',
    'evil.example:99999',
    '127.0.0.1',
    '1.2.3.999',
    '[::1]',
    '[::1]:7400',
    'a_b.example',
    'localhost:1',
    'xn--e1afmkfd.example',
  ])('a Host of %s is believed by nothing', async (name) => {
    const { replies } = await sendRaw(
      app.url,
      host(
        `Host: ${name}\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example;proto=http\r\nX-Forwarded-Proto: http`,
        '/.well-known/oauth-authorization-server',
      ),
      { replies: 1 },
    );
    expect(replies[0]?.status).toBe(200);
    expect(JSON.parse(replies[0]?.body ?? '{}').issuer).toBe('https://auth.example.com');
    expect(replies[0]?.body).not.toMatch(/evil/i);
  });
});

describe('documents', () => {
  const documents = [
    '/.well-known/jwks.json',
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/openapi.json',
  ];

  test.each(documents)(
    '%s carries a strong ETag and a max-age, and answers 304 to who has it',
    async (path) => {
      const { status, headers } = await app.call('GET', path);
      const etag = headers.get('etag') ?? '';
      expect([status, headers.get('cache-control')]).toEqual([
        200,
        expect.stringMatching(/^public, max-age=\d+$/),
      ]);
      expect(etag).toMatch(/^"[\w-]{16,}"$/);
      for (const given of [etag, `W/${etag}`, `"x", ${etag}`, `"x",W/${etag} , "y"`, '*']) {
        const again = await app.call('GET', path, { headers: { 'if-none-match': given } });
        expect([
          given,
          again.status,
          again.body,
          again.headers.get('etag'),
          again.headers.get('content-length'),
        ]).toEqual([given, 304, '', etag, null]);
      }
      for (const given of ['"x"', etag.slice(1, -1), `x${etag}`, ''])
        expect([
          given,
          (await app.call('GET', path, { headers: { 'if-none-match': given } })).status,
        ]).toEqual([given, 200]);
    },
  );

  test('a new key is a new tag', async () => {
    const own = await createTestApp();
    const before = (await own.call('GET', '/.well-known/jwks.json')).headers.get('etag') ?? '';
    await own.kernel.signingKeys.rotate('access', 0);
    const after = await own.call('GET', '/.well-known/jwks.json', {
      headers: { 'if-none-match': before },
    });
    expect([after.status, after.body.keys.length]).toEqual([200, 2]);
    await own.stop();
  });
});

describe('sockets that stay open', () => {
  test('keep-alive: one connection serves many requests', async () => {
    const socket = await openSocket(app.url);
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    for (let i = 1; i <= 20; i++) {
      socket.write(request(i % 3 === 0 ? 'GET /me' : 'GET /healthz'));
      while ((text.match(/HTTP\/1\.1/g) ?? []).length < i)
        await new Promise((resolve) => setImmediate(resolve));
    }
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });
});
