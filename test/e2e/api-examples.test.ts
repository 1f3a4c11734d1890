/**
 * The examples of docs/api and of the OpenAPI document: the story of one account, told to the built
 * server twice, by the printed curl commands and by the printed fetch calls. What came back has to
 * be what is in the repository. `npm run docs` writes it: the examples, the document that carries
 * them, and the pages.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { curlOf, fetchOf } from '../../scripts/api-docs.mjs';
import { openStage, readAnswer, tellStory } from '../support/api-story.ts';
import type { Send, Stage, Step } from '../support/api-story.ts';
import { isMissing } from '../support/peers.ts';

const FILES = {
  examples: new URL('../../src/http/examples.json', import.meta.url),
  openapi: new URL('../../docs/openapi.json', import.meta.url),
};
const isWriting = process.env['POSTERN_WRITE_EXAMPLES'] === '1';
const json = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;
const run = promisify(execFile);

const byCurl: Send = async (step, live) => {
  const command = `${live(curlOf(step))} -w '\n%{http_code}'`;
  const { stdout } = await run('sh', ['-c', command]);
  const at = stdout.lastIndexOf('\n');
  return readAnswer(Number(stdout.slice(at + 1)), stdout.slice(0, at));
};
const byFetch: Send = async (step, live) => {
  const globals = { fetch, URLSearchParams, btoa };
  const response = await runInNewContext(live(fetchOf(step)), globals);
  return readAnswer(response.status, await response.text());
};

describe.skipIf(isMissing('curl'))('the examples', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await openStage();
  });
  afterAll(() => stage?.close());

  test.each([
    ['curl', byCurl],
    ['fetch', byFetch],
  ])('by %s: every answer is the one of the repository', async (_, send) => {
    const server = await stage.start();
    const recorded = await tellStory({ server, mailed: stage.mailed, issuer: stage.issuer }, send);
    if (isWriting) writeFileSync(FILES.examples, json(recorded));
    expect(recorded).toEqual(JSON.parse(readFileSync(FILES.examples, 'utf8')));
    await server.stop();
  });

  test('docs/openapi.json is the document of the built server', async () => {
    const server = await stage.start();
    const { body } = await server.call('GET', '/openapi.json');
    if (isWriting) writeFileSync(FILES.openapi, json(body));
    expect(body).toEqual(JSON.parse(readFileSync(FILES.openapi, 'utf8')));
    await server.stop();
  });

  test('every route has an example', () => {
    const document = JSON.parse(readFileSync(FILES.openapi, 'utf8'));
    const recorded = JSON.parse(readFileSync(FILES.examples, 'utf8'));
    const had = new Set(recorded.map(({ route }: Step) => route));
    const routes = Object.entries<object>(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.filter((route) => !had.has(route))).toEqual([]);
  });
});
