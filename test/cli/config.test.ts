/** `postern config check`, `postern config show`, `postern version`. */
import { describe, expect, it } from 'vitest';
import about from '../../package.json' with { type: 'json' };
import { run } from './run.ts';

const SECRET = 'q7Zk2vXc9LmP4tRw8YbN1sHd6FgJ3aQe5UoT0iKx';

describe('postern config check', () => {
  it('says that all is fine, of which file, 0', async () => {
    expect(await run('config check')).toEqual({
      code: 0,
      stdout: 'The configuration (no file) is fine.\n',
      stderr: '',
    });
    expect(await run('config check', { files: { './config.toml': '' } })).toEqual({
      code: 0,
      stdout: 'config.toml is fine.\n',
      stderr: '',
    });
  });

  it('says every fault, 78', async () => {
    const { code, stdout, stderr } = await run('config check', {
      files: { './config.toml': '[server]\nhsts = 1\nnope = 2' },
      env: { POSTERN_LOG_LEVEL: 'x' },
    });
    expect([code, stdout, stderr.trim().split('\n').length]).toEqual([78, '', 3]);
  });

  it('warns on stderr and is fine nevertheless', async () => {
    const { code, stdout, stderr } = await run('config check', {
      env: { POSTERN_PASSWORD_MIN_LENGTH: '8' },
    });
    expect([code, stdout]).toEqual([0, 'The configuration (no file) is fine, with one warning.\n']);
    expect(stderr).toMatch(/^warning: POSTERN_PASSWORD_MIN_LENGTH {2}password\.min_length is 8;/);
  });
});

describe('postern config show', () => {
  const env = { POSTERN_LOG_LEVEL: 'warn', POSTERN_PASSWORD_PEPPER_FILE: '/run/secrets/pepper' };
  const files = { './config.toml': '[tokens]\naccess_ttl = "5m"', '/run/secrets/pepper': SECRET };

  it('--origin: value, and which file or variable set it; secrets as [set]', async () => {
    const { code, stdout } = await run('config show --origin', { env, files });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^access_ttl = "5m" +# config\.toml:2:14$/m);
    expect(stdout).toMatch(/^level = "warn" +# POSTERN_LOG_LEVEL$/m);
    expect(stdout).toMatch(
      /^# pepper = \[set\] +# POSTERN_PASSWORD_PEPPER_FILE: \/run\/secrets\/pepper$/m,
    );
    expect(stdout).toMatch(/^audience = "postern" +# default$/m);
    expect(stdout).not.toContain(SECRET);
  });

  it('without it: values alone', async () => {
    expect((await run('config show', { env, files })).stdout).toMatch(/^level = "warn"$/m);
  });

  it('--json: one object', async () => {
    const { stdout } = await run('config show --json', { env, files });
    expect(stdout.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({
      file: './config.toml',
      settings: {
        'log.level': { value: 'warn', origin: 'POSTERN_LOG_LEVEL' },
        'password.pepper': { value: '[set]' },
      },
    });
    expect(stdout).not.toContain(SECRET);
  });
});

describe('postern version', () => {
  it.each(['version', '--version', '-V'])(
    '%s prints version, Node, libSQL and target',
    async (args) => {
      expect(await run(args)).toEqual({
        code: 0,
        stdout: `postern ${about.version} (Node v20.20.2, libSQL ${about.dependencies.libsql}, linux-x64)\n`,
        stderr: '',
      });
    },
  );

  it('--json', async () => {
    expect(JSON.parse((await run('version --json')).stdout)).toEqual({
      postern: about.version,
      node: 'v20.20.2',
      libsql: about.dependencies.libsql,
      target: 'linux-x64',
    });
  });
});
