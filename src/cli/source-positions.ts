/**
 * Maps stack traces to the files of src/: the positions in the bundle are translated by its source
 * map, which is loaded with the first stack trace.
 */
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getAsset, isSea } from 'node:sea';

/** The position of a stack frame: file or URL, line, column. */
const PLACE = /(?:file:\/\/)?([^\s():]+):(\d+):(\d+)/g;

/** The parsed source map. */
function readMap(file: string): SourceMap | undefined {
  try {
    const text = isSea() ? getAsset('postern.js.map', 'utf8') : mapBeside(file);
    return text === undefined ? undefined : new SourceMap(JSON.parse(text));
  } catch {
    return undefined; // without it the stack stays as it is
  }
}

function mapBeside(file: string): string | undefined {
  const beside = new URL(`./${file}.map`, import.meta.url);
  return existsSync(beside) ? readFileSync(fileURLToPath(beside), 'utf8') : undefined;
}

/** Makes the translator of stack traces; it caches the source maps. */
export function sourcePositions(): (stack: string) => string {
  const maps = new Map<string, SourceMap | undefined>();
  const mapOf = (file: string): SourceMap | undefined => {
    const name = basename(file);
    if (!isSea() && !name.endsWith('.mjs')) return undefined;
    if (!maps.has(name)) maps.set(name, readMap(name));
    return maps.get(name);
  };
  return (stack) =>
    stack.replace(PLACE, (place: string, file: string, line: string, column: string) => {
      if (file.startsWith('node:')) return place;
      // Lines and columns of stack traces count from one.
      const found = mapOf(file)?.findEntry(Number(line) - 1, Number(column) - 1);
      if (found === undefined || !('originalSource' in found)) return place;
      const source = found.originalSource.replace(/^(?:\.\.\/)+/, '');
      return `${source}:${found.originalLine + 1}:${found.originalColumn + 1}`;
    });
}
