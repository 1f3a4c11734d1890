/** What shells complete, asked of the shells themselves where they are there. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { completionScript } from '../../src/cli/completion.ts';
import { VERBS } from '../../src/cli/index.ts';
import { manPage } from '../../src/cli/man-page.ts';
import { longName } from '../../src/cli/verb.ts';
import { run } from './run.ts';

const directory = mkdtempSync(join(tmpdir(), 'postern-completion-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function written(shell: 'zsh' | 'fish'): string {
  const file = join(directory, shell);
  writeFileSync(file, completionScript(shell, VERBS));
  return file;
}

const NAMES = VERBS.map(({ name }) => name);

/** What bash offers after these words. */
function offered(...words: string[]): string[] {
  const script = `${completionScript('bash', VERBS)}
COMP_WORDS=(postern ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _postern; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

describe('bash', () => {
  test('offers first words, second words, options, and the words that an argument may be', () => {
    expect(offered('')).toEqual([...new Set(NAMES.map((name) => name.split(' ')[0]))]);
    expect(offered('keys', '')).toEqual(['list', 'rotate', 'export']);
    expect(offered('keys', 'rotate', '--w')).toEqual(['--withdraw']);
    expect(offered('serve', '--l')).toEqual(['--listen', '--log-level', '--log-format']);
    expect(offered('completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
    expect(offered('nonsense', '')).toEqual([]);
  });

  test.each(VERBS)('offers every option of $name', ({ name, options = [] }) => {
    const words = offered(...name.split(' '), '--');
    expect(words).toEqual(expect.arrayContaining(options.map((o) => `--${longName(o)}`)));
  });
});

describe('zsh and fish', () => {
  test.skipIf(!existsSync('/usr/bin/zsh'))('zsh reads its script', () => {
    const { status, stderr } = spawnSync('zsh', ['-f', '-n', written('zsh')], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  test.skipIf(!existsSync('/usr/bin/fish'))('fish offers verbs, second words and options', () => {
    const file = written('fish');
    const ask = (line: string): string[] =>
      spawnSync(
        'fish',
        ['--no-config', '-c', `source ${file}; complete -C ${JSON.stringify(line)}`],
        {
          encoding: 'utf8',
          env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
        },
      )
        .stdout.split('\n')
        .map((one) => one.split('\t')[0] ?? '')
        .filter((one) => one !== '');
    expect(ask('postern k')).toEqual(['keys', 'kit']);
    expect(ask('postern keys ro')).toEqual(['rotate']);
    expect(ask('postern keys rotate --w')).toEqual(['--withdraw']);
  });

  test.each(['zsh', 'fish'] as const)('the script of %s has every verb and option', (shell) => {
    const script = completionScript(shell, VERBS);
    for (const { name, options = [] } of VERBS) {
      for (const word of name.split(' ')) expect(script).toContain(word);
      for (const option of options) expect(script).toContain(longName(option));
    }
  });
});

test('postern completion prints it, and refuses a shell that it has no script for', async () => {
  expect((await run('completion bash')).stdout).toBe(`${completionScript('bash', VERBS)}\n`);
  const { code, stderr } = await run('completion tcsh');
  expect([code, stderr]).toEqual([2, expect.stringContaining('bash, zsh, fish')]);
});

test('the manual page has every verb and every option, and nothing that roff would obey', () => {
  const page = manPage(VERBS);
  for (const { name, options = [] } of VERBS) {
    expect(page).toContain(`.SS postern ${name}`.replaceAll('-', '\\-'));
    for (const { flags } of options) expect(page).toContain(flags.replaceAll('-', '\\-'));
  }
  const requests = new Set(
    page.split('\n').flatMap((line) => /^[.'](\S*)/.exec(line)?.slice(1) ?? []),
  );
  expect([...requests].sort()).toEqual(
    ['B', 'PP', 'SH', 'SS', 'TH', 'TP', '\\"', 'fi', 'nf'].sort(),
  );
});
