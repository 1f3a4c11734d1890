/** The command line as people meet it: verbs, options, help, guesses, streams, exit codes. */
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { EXIT, CliRefusal } from '../../src/cli/exit.ts';
import { VERBS } from '../../src/cli/index.ts';
import { loadConfig } from '../../src/cli/load-config.ts';
import { createOutput } from '../../src/cli/output.ts';
import { JSON_OPTION, LISTEN_OPTION, LOG_LEVEL_OPTION } from '../../src/cli/verb.ts';
import type { Verb } from '../../src/cli/verb.ts';
import { run } from './run.ts';

/** A `serve` that says what it would serve. */
const serve: Verb = {
  name: 'serve',
  summary: 'Runs the service.',
  examples: ['postern serve', 'postern serve --listen tcp://127.0.0.1:8080'],
  options: [LISTEN_OPTION, LOG_LEVEL_OPTION],
  run: (call) => {
    const { config, path } = loadConfig(call);
    call.output.answerJson({
      listen: config.server.listen,
      level: config.log.level,
      path: path ?? null,
    });
    return EXIT.done;
  },
};
const echo: Verb = {
  name: 'thing echo',
  summary: 'Prints what it is given.',
  examples: ['postern thing echo a', 'postern thing echo a b'],
  arguments: [
    { name: '<first>', sentence: 'the first' },
    { name: '[second]', sentence: 'the second' },
  ],
  options: [{ flags: '-l, --loud', sentence: 'in capitals' }, JSON_OPTION],
  run: ({ arguments: given, output, has }) => {
    output.answer(has('loud') ? given.join(' ').toUpperCase() : given.join(' '));
    return EXIT.done;
  },
};
const verbs = [serve, echo, ...VERBS];
const files = { a: '[log]\nlevel = "debug"' };

describe('the verb', () => {
  it('is serve when none is written', async () => {
    expect(await run('', { verbs })).toEqual(await run('serve', { verbs }));
    expect((await run('--log-level warn', { verbs })).stdout).toContain('"level":"warn"');
    expect((await run('--config a', { verbs, files })).stdout).toContain('"level":"debug"');
  });

  it('has its options before or after it', async () => {
    expect(await run('--config a serve', { verbs, files })).toEqual(
      await run('serve --config a', { verbs, files }),
    );
    expect(await run('--config=a serve', { verbs, files })).toEqual(
      await run('serve --config=a', { verbs, files }),
    );
  });

  it('flags win over variables, variables over the file; --listen may be repeated', async () => {
    const env = {
      POSTERN_CONFIG: 'a',
      POSTERN_LOG_LEVEL: 'warn',
      POSTERN_SERVER_LISTEN: 'tcp://127.0.0.1:9',
    };
    expect((await run('serve', { verbs, files, env })).stdout).toBe(
      '{"listen":[{"kind":"tcp","host":"127.0.0.1","port":9}],"level":"warn","path":"a"}\n',
    );
    const flagged = await run(
      'serve --log-level error --listen tcp://127.0.0.1:1 --listen systemd:',
      { verbs, files, env },
    );
    expect(flagged.stdout).toBe(
      '{"listen":[{"kind":"tcp","host":"127.0.0.1","port":1},{"kind":"systemd"}],"level":"error","path":"a"}\n',
    );
  });

  it('with a noun alone is a short help and wrong usage', async () => {
    const { code, stdout, stderr } = await run('thing', { verbs });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      /^usage: postern thing <verb> \[options\]\n\nverbs:\n {2}thing echo {2}Prints/,
    );
  });

  it('takes arguments and options in any order', async () => {
    expect((await run('thing echo a --loud b', { verbs })).stdout).toBe('A B\n');
    expect((await run('thing echo -l a', { verbs })).stdout).toBe('A\n');
    expect((await run('thing echo -- --loud', { verbs })).stdout).toBe('--loud\n');
  });
});

describe('wrong usage is reported with a guess and the help to see, and ends with 2', () => {
  it.each([
    ['srve', 'unknown verb srve. Did you mean serve?\nsee: postern --help\n'],
    ['frobnicate', 'unknown verb frobnicate\nsee: postern --help\n'],
    [
      'config chekc',
      'unknown verb config chekc. Did you mean check?\nsee: postern config --help\n',
    ],
    [
      'serve --confg x',
      'unknown option --confg. Did you mean --config?\nsee: postern serve --help\n',
    ],
    ['--confg', 'unknown option --confg. Did you mean --config?\nsee: postern serve --help\n'],
    ['serve --listen', '--listen needs a value\nsee: postern serve --help\n'],
    ['serve now', 'too many arguments\nsee: postern serve --help\n'],
    ['thing echo', '<first> is missing\nsee: postern thing echo --help\n'],
    ['serve --password=hunter2', 'unknown option --password\nsee: postern serve --help\n'],
  ])('postern %s', async (args, stderr) => {
    expect(await run(args, { verbs })).toEqual({ code: 2, stdout: '', stderr });
  });
});

describe('help', () => {
  it('of a verb: what for, usage, two examples, options with default and variable, where to read more', async () => {
    const { code, stdout, stderr } = await run('serve --help', { verbs });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(`Runs the service.

usage: postern serve [options]

examples:
  postern serve
  postern serve --listen tcp://127.0.0.1:8080

options:
  --listen <address>   where to listen; may be repeated [default: ["tcp://127.0.0.1:7400"]] (POSTERN_SERVER_LISTEN)
  --log-level <level>  least severe level that is logged [default: "info"] (POSTERN_LOG_LEVEL)
  --config <file>      configuration file (POSTERN_CONFIG) [default: ./config.toml, else /etc/postern/config.toml, else none]
  -h, --help           print this

more: docs/cli.md#postern-serve
`);
  });

  it('is there by -h, --help and help, anywhere', async () => {
    const text = (await run('serve --help', { verbs })).stdout;
    for (const args of [
      'serve -h',
      '-h serve',
      '--help serve',
      'help serve',
      'serve --log-level warn --help',
    ])
      expect((await run(args, { verbs })).stdout).toBe(text);
    const whole = (await run('--help', { verbs })).stdout;
    expect((await run('help', { verbs })).stdout).toBe(whole);
    const width = Math.max(...verbs.map(({ name }) => name.length));
    for (const { name, summary } of verbs)
      expect(whole.split('\n')).toContain(`  ${name.padEnd(width)}  ${summary}`);
    expect((await run('thing --help', { verbs })).code).toBe(0);
  });

  it('each verb has one line, and two examples that run it', () => {
    for (const { name, summary, examples } of VERBS) {
      expect(summary).toMatch(/^[A-Z].*\.$/);
      for (const example of examples) expect(example).toContain(`postern ${name}`);
    }
  });
});

describe('ends', () => {
  const ending = (error: () => never): Verb => ({ ...serve, options: [], run: error });

  it('a refused configuration: its faults to stderr, 78', async () => {
    const env = { POSTERN_LOG_LEVEL: 'loud', POSTERN_NOPE: '1' };
    const expected =
      'POSTERN_LOG_LEVEL  "loud" is not known here. Write one of trace, debug, info, warn, error.\nPOSTERN_NOPE  is not a setting.\n';
    expect(await run('serve', { verbs, env })).toEqual({ code: 78, stdout: '', stderr: expected });
    expect(await run('serve --config /nope', { verbs })).toEqual({
      code: 78,
      stdout: '',
      stderr: '--config  "/nope" does not exist.\n',
    });
  });

  it('a foreseen end: its sentences, its code, no stack', async () => {
    const refused = ending(() => {
      throw new CliRefusal(EXIT.failed, '127.0.0.1:7400 is taken by another program.');
    });
    expect(await run('serve', { verbs: [refused] })).toEqual({
      code: 1,
      stdout: '',
      stderr: '127.0.0.1:7400 is taken by another program.\n',
    });
  });

  it('a bug: one line, 1', async () => {
    const broken = ending(() => {
      throw new TypeError('x is not a function');
    });
    const { code, stderr } = await run('serve', { verbs: [broken] });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^postern has a bug: TypeError: x is not a function at .*\n$/);
  });

  it('a reader of stdout that went away: quietly, 0', async () => {
    const gone = (): Writable =>
      new Writable({
        write: (_chunk, _encoding, done) =>
          done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })),
      });
    const codes: number[] = [];
    const output = createOutput({
      stdout: gone(),
      stderr: gone(),
      exit: (code) => codes.push(code),
    });
    output.progress('x');
    await new Promise((resolve) => setImmediate(resolve));
    expect(codes).toEqual([]);
    output.answer('x');
    await new Promise((resolve) => setImmediate(resolve));
    expect(codes).toEqual([0]);
  });
});
