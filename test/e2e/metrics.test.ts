/** Metrics of the program as it is built: its library is a chunk of its own, loaded when it is wanted. */
import { expect, test } from 'vitest';
import { ask, startServer, whereIs } from '../support/process.ts';

test('GET /metrics answers on its own listener, and nothing else does there', async () => {
  const server = await startServer({ env: { POSTERN_METRICS_LISTEN: 'tcp://127.0.0.1:0' } });
  await server.register('ada');
  const [address] = Array.isArray(server.started['metrics']) ? server.started['metrics'] : [];
  const where = whereIs(String(address));
  const { status, body } = await ask(where, 'GET', '/metrics');
  expect(status).toBe(200);
  expect(body).toMatch(/^postern_build_info\{.*\} 1$/m);
  expect(body).toMatch(/^http_server_request_duration_seconds_count\{.*"\/register".*\} 1$/m);
  expect((await ask(where, 'GET', '/healthz')).status).toBe(404);
  expect((await server.call('GET', '/metrics')).status).toBe(404);
  await server.stop();
});
