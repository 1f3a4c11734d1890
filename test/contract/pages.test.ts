import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PAGES } from '../../src/cli/pages.ts';

test.each(PAGES.map(({ path, content }) => [path, content] as const))(
  '%s says what the code does (node scripts/write-docs.mjs)',
  (path, content) => {
    expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(content());
  },
);
