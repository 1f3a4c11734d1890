/** What the single binary is bundled from: the program and its threads, each one file. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { common } from './bundle.mjs';

const LOADER = fileURLToPath(new URL('../packaging/load-addon.mjs', import.meta.url));

/** The native addons: package that loads one, how, and the asset. */
const ADDONS = [
  {
    filter: /[\\/]node_modules[\\/]libsql[\\/]index\.js$/,
    // The text that is replaced: no bundler can follow what it requires.
    loader:
      /const \{ load, currentTarget \} = require\("@neon-rs\/load"\);\nconst \{ familySync, GLIBC, MUSL \} = require\("detect-libc"\);\n\nfunction requireNative\(\) \{\n[\s\S]*?\n\}\n/,
    asset: 'libsql.node',
    /** @param {string} load */
    replacement: (load) => `function requireNative() { return ${load}; }\n`,
  },
  {
    filter: /[\\/]node_modules[\\/]@node-rs[\\/]argon2[\\/]index\.js$/,
    loader:
      /^[\s\S]*\nmodule\.exports = nativeBinding\n(?:module\.exports\.\w+ = nativeBinding\.\w+\n)+$/,
    asset: 'argon2.node',
    /** @param {string} load */
    replacement: (load) => `module.exports = ${load};\n`,
  },
];

/** @type {import('esbuild').Plugin} */
const addonsFromAssets = {
  name: 'addons-from-assets',
  setup({ onLoad }) {
    for (const { filter, loader, asset, replacement } of ADDONS)
      onLoad({ filter }, ({ path }) => {
        const text = readFileSync(path, 'utf8');
        if (!loader.test(text))
          throw new Error(`${path} loads its addon in another way now: change single-file.mjs`);
        const load = `require(${JSON.stringify(LOADER)}).loadAddon(${JSON.stringify(asset)})`;
        return { contents: text.replace(loader, () => replacement(load)), loader: 'js' };
      });
  },
};

/** @type {import('esbuild').BuildOptions} */
const single = {
  ...common,
  external: [],
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  write: false,
  plugins: [addonsFromAssets],
};

/**
 * The texts that the binary is made of. The program is CommonJS, as a single executable has it; a
 * lane is a module, which a worker takes from a `data:` URL.
 *
 * @returns {Promise<{ program: string, map: string, hashLane: string, checkpointLane: string }>}
 */
export async function singleFiles() {
  const { program, map } = await withMap({
    entryPoints: ['src/main.ts'],
    format: 'cjs',
    // Only read where files lie beside the program.
    define: { ...common.define, 'import.meta.url': JSON.stringify('file:///postern') },
  });
  const [hashLane = '', checkpointLane = ''] = await Promise.all(
    ['src/crypto/hash-lane.mjs', 'src/db/checkpoint-lane.mjs'].map((entry) =>
      textOf({ entryPoints: [entry], format: 'esm' }),
    ),
  );
  // An empty line in its place keeps the map true.
  return { program: program.replace(/^#!.*\n/, '\n'), map, hashLane, checkpointLane };
}

/** @param {import('esbuild').BuildOptions} options */
async function withMap(options) {
  const { outputFiles = [] } = await build({
    ...single,
    ...options,
    outfile: 'dist/postern.js',
    sourcemap: 'external',
    sourcesContent: false,
  });
  const program = outputFiles.find(({ path }) => path.endsWith('.js'));
  const map = outputFiles.find(({ path }) => path.endsWith('.map'));
  if (program === undefined || map === undefined) throw new Error('the bundle is not one file');
  return { program: program.text, map: map.text };
}

/** @param {import('esbuild').BuildOptions} options */
async function textOf(options) {
  const { outputFiles = [] } = await build({ ...single, ...options });
  const [file] = outputFiles;
  if (file === undefined || outputFiles.length !== 1) throw new Error('the bundle is not one file');
  return file.text;
}
