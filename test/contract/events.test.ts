/** The list of log events (docs/events.md) against the code that writes them. */
import { expect, test } from 'vitest';
import { EVENTS } from '../../src/lib/events.ts';
import { readModules } from './source.ts';

const NAME = /'([a-z][a-z_]*\.[a-z][a-z_]*)'/;

test('every event that the code writes is in the list, and none that it does not', () => {
  const written = new Set<string>();
  for (const { path, text: code } of readModules()) {
    if (path === 'lib/events.ts' || path === 'lib/user-events.ts') continue;
    // The first name after the call; events that are handed on stand as a member.
    for (const [, rest = ''] of code.matchAll(
      /\b(?:log\.write|recorded|recordedIfChanged)\((?=([^{]{0,120}))/g,
    )) {
      const event = NAME.exec(rest)?.[1];
      if (event !== undefined) written.add(event);
    }
    for (const [, event = ''] of code.matchAll(
      /\b(?:event|name)(?::\s*'|":")([a-z_]+\.[a-z_]+)['"]/g,
    ))
      written.add(event);
  }
  expect([...written].sort()).toEqual(Object.keys(EVENTS).sort());
});
