/** Pages written by hand, as far as they can be compared: links, names, the code that they show. */
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { TEMPLATES } from '../../src/core/email/templates.ts';
import { webhookTransport } from '../../src/delivery/webhook.ts';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(new URL('packages', ROOT)).map((name) => `packages/${name}/README.md`),
  ...readdirSync(new URL('docs', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const withoutCode = (text: string): string => text.replaceAll(/```[\s\S]*?```/g, '');
/** As GitHub makes them of headings. */
const anchorsOf = (text: string): string[] =>
  [...withoutCode(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

test.each(pages)('every link of %s leads somewhere', (page) => {
  const lost: string[] = [];
  const prose = withoutCode(read(page)).replaceAll(/`[^`\n]*`/g, '');
  for (const [, link = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(link)) continue;
    const target = new URL(link, new URL(page, ROOT));
    const anchor = target.hash.slice(1);
    target.hash = '';
    const isThere = existsSync(target);
    if (!isThere) lost.push(link);
    else if (anchor !== '' && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor))
      lost.push(link);
  }
  expect(lost).toEqual([]);
});

test('the table of endpoints in README.md has every path of the API', () => {
  const readme = read('README.md');
  const table = readme.slice(
    readme.indexOf('## Endpoints'),
    readme.indexOf('## Tokens and claims'),
  );
  const named = new Set([...table.matchAll(/`(\/[^`]*)`/g)].map(([, path]) => path));
  const paths = Object.keys(JSON.parse(read('docs/openapi.json')).paths);
  expect(paths.filter((path) => !named.has(path))).toEqual([]);
});

describe('docs/emails.md', () => {
  test('names every email', () => {
    const named = [...read('docs/emails.md').matchAll(/^\| (`.+?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
    );
    expect(named.sort()).toEqual([...TEMPLATES].sort());
  });

  test('names the placeholders of the built-in texts', () => {
    const texts = read('src/delivery/texts.ts').matchAll(/\{\{(\w+)\}\}/g);
    const page = read('docs/emails.md');
    const used = new Set([...texts].map(([, name = '']) => name));
    used.delete('name');
    expect([...used].filter((name) => !page.includes(`{{${name}}}`))).toEqual([]);
  });
});

test('docs/webhooks.md: the function that it shows takes what is sent, and nothing else', async () => {
  const block = /<!-- webhook -->\n```js\n([\s\S]*?)```/.exec(read('docs/webhooks.md'))?.[1] ?? '';
  const { isGenuine } = await import(
    /* @vite-ignore */ `data:text/javascript;base64,${Buffer.from(block).toString('base64')}`
  );
  const secret = 'x'.repeat(32);
  const received: { signature: string; body: string }[] = [];
  const sink = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ signature: String(request.headers['postern-signature']), body });
      response.end();
    });
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(sink.address() as AddressInfo).port}/`;
  const email = {
    id: 'i',
    template: 'test',
    to: 'ada@example.com',
    from: { address: 'a@b.example', name: 'b' },
    subject: 's',
    text: 't',
    html: 'h',
    values: {},
  } as const;
  for (const now of [() => Date.now(), () => Date.now() - 600_000])
    await webhookTransport({ url, secret, clock: { now } }).send(email);
  await new Promise((resolve) => sink.close(resolve));
  const [right, old] = received;
  expect(isGenuine(right?.signature, right?.body, secret)).toBe(true);
  expect(isGenuine(right?.signature, `${right?.body} `, secret)).toBe(false);
  expect(isGenuine(right?.signature, right?.body, 'y'.repeat(32))).toBe(false);
  expect(isGenuine(undefined, right?.body, secret)).toBe(false);
  expect(isGenuine(old?.signature, old?.body, secret)).toBe(false);
});
