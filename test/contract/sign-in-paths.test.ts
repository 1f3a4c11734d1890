/**
 * Every way to a token, against the page that tells their strength and against the code that mints.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { createTestApp } from '../support/app.ts';
import type { TestApp } from '../support/app.ts';
import { nameOf, readModules } from './source.ts';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({
    config:
      '[otp]\nlink = true\n[otp.email]\nenabled = true\n[sms]\ncountries = ["DE"]\ntransports = ["file"]\n[otp.sms]\nenabled = true\n',
  });
});
afterAll(() => app.stop());

function givesTokens(reply: z.ZodType | undefined): boolean {
  return (
    reply !== undefined &&
    JSON.stringify(z.toJSONSchema(reply, { io: 'output', unrepresentable: 'any' })).includes(
      '"access_token"',
    )
  );
}

test('ASVS 6.1.3, 6.3.4: every route that gives a token is documented with its strength, and no other', () => {
  const page = readFileSync(new URL('../../docs/second-factor.md', import.meta.url), 'utf8');
  const table = page.slice(
    page.indexOf('## Sign-in paths and their strength'),
    page.indexOf('## Stepping up'),
  );
  const documented = new Set(
    [...table.matchAll(/^\| (POST|GET) `(\/[^`]+)`/gm)].map(
      ([, method, path]) => `${method} ${path}`,
    ),
  );
  const giving = app.routes.flatMap((route) =>
    route.kind === 'operation' && givesTokens(route.reply)
      ? [`${route.method.toUpperCase()} ${route.path}`]
      : [],
  );
  expect([...documented].sort()).toEqual(giving.sort());
});

/** The modules that reach for a member of this name. */
const reaching = (name: string): string[] =>
  readModules()
    .filter(({ nodes }) =>
      nodes.some(
        (node) =>
          (node.type === 'MemberExpression' && nameOf(node['property']) === name) ||
          (node.type === 'AssignmentPatternProperty' && nameOf(node['key']) === name),
      ),
    )
    .map(({ path }) => path)
    .sort();

test('ASVS 6.3.4: all of them come to it by functions of the core, which make the same checks; nothing else mints', () => {
  expect(reaching('issueTokens')).toEqual([
    'core/factor/authentication.ts',
    'core/factor/reauthentication.ts',
    'core/session/refresh.ts',
  ]);
  const completing = [...reaching('completeFactor'), ...reaching('completeFactors')];
  expect(completing).not.toEqual([]);
  expect(
    completing.filter(
      (path) =>
        !/^features\/(?:password|registration|mfa|passkey|external|otp|recovery-code)\//.test(path),
    ),
  ).toEqual([]);
  expect(reaching('reauthenticate')).toEqual(['features/mfa/present-again.ts']);
  expect(reaching('refreshSession')).toEqual(['features/session/routes.ts']);
});
