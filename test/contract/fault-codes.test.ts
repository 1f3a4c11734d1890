/** The codes of errors[] and the members of problems (docs/errors.md) against the code. */
import { expect, test } from 'vitest';
import { FAULT_CODES, PROBLEM_MEMBERS } from '../../src/http/fault-codes.ts';
import { isRefusalCode } from '../../src/refusal.ts';
import { readModules } from './source.ts';

const modules = readModules().filter(({ path }) => path !== 'http/fault-codes.ts');

test('every code of errors[] that the code writes is in the list, and none that it does not', () => {
  const written = new Set<string>();
  for (const { path, text } of modules) {
    if (!/^(?:features|core|http|lib|refusal)/.test(path)) continue;
    for (const [, code = ''] of text.matchAll(/\bcode: '([a-z_]+)'/g)) written.add(code);
    for (const [, code = ''] of text.matchAll(/\bfault\(\s*context,\s*'([a-z_]+)'/g))
      written.add(code);
  }
  // zod's own code of a custom issue, and what stands in problems of the parser.
  written.delete('custom');
  for (const code of [
    'header_too_large',
    'malformed_request',
    'request_timeout',
    'method_not_allowed',
  ])
    written.delete(code);
  expect(Object.keys(FAULT_CODES).sort()).toEqual([...written].sort());
});

test('every member that a refusal carries is in the list', () => {
  const carried = new Set(['errors']);
  for (const { text } of modules.filter(({ path }) => /^(?:features|core)\//.test(path)))
    for (const [, members = ''] of text.matchAll(/\bmembers: \{([^}]*)/g))
      for (const [, member = ''] of members.matchAll(/(?:^|,)\s*([a-z_]+)(?=:|,|\s*$)/g))
        carried.add(member);
  carried.delete('');
  expect([...carried].sort()).toEqual(
    [...new Set(PROBLEM_MEMBERS.map(({ member }) => member))].sort(),
  );
  expect(PROBLEM_MEMBERS.filter(({ of }) => !isRefusalCode(of))).toEqual([]);
});
