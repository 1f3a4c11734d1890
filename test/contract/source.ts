/** The source as modules: what each imports, and its text without comments and literals. */
import { readFileSync, readdirSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../src/', import.meta.url));

export interface Import {
  /** A module of ours from src/ on, or a package's name as it stands. */
  readonly target: string;
  readonly isOurs: boolean;
  readonly isType: boolean;
  readonly names: readonly string[];
}

export interface Module {
  readonly path: string;
  readonly lines: number;
  readonly text: string;
  /** The text with comments, strings, templates and regular expressions blanked. */
  readonly code: string;
  readonly imports: readonly Import[];
}

export function readModules(): Module[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.(ts|mjs|js)$/.test(path))
    .sort()
    .map((path) => readModule(path, readFileSync(root + path, 'utf8')));
}

const IMPORT =
  /^\s*(import|export)\s+(type\s+)?(?:([^'";]*?)\s+from\s+)?'([^']+)'(?:\s+with\s+\{[^}]*\})?;/gm;

export function readModule(path: string, text: string): Module {
  const imports: Import[] = [];
  for (const [, , type, clause = '', specifier = ''] of text.matchAll(IMPORT)) {
    const isOurs = specifier.startsWith('.');
    const names = [...clause.matchAll(/\b([A-Za-z_$][\w$]*)(?:\s+as\s+[\w$]+)?/g)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'type');
    imports.push({
      target: isOurs ? posix.normalize(posix.join(posix.dirname(path), specifier)) : specifier,
      isOurs,
      isType: type !== undefined,
      names,
    });
  }
  for (const [, specifier = ''] of text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)) {
    const isOurs = specifier.startsWith('.');
    imports.push({
      target: isOurs ? posix.normalize(posix.join(posix.dirname(path), specifier)) : specifier,
      isOurs,
      isType: path.endsWith('.mjs'),
      names: [],
    });
  }
  return { path, lines: text.split('\n').length - 1, text, code: blank(text), imports };
}

/** Blanks what is not code; a slash begins a regular expression where a value may begin. */
export function blank(text: string): string {
  let out = '';
  let last = '';
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const [token = ''] =
      /^\/\/[^\n]*/.exec(rest) ??
      /^\/\*[\s\S]*?\*\//.exec(rest) ??
      /^'(?:\\.|[^'\\\n])*'/.exec(rest) ??
      /^"(?:\\.|[^"\\\n])*"/.exec(rest) ??
      (mayBeginValue(last)
        ? /^\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/.exec(rest)
        : null) ??
      [];
    if (token !== '') {
      out +=
        token.startsWith('/') && (token[1] === '/' || token[1] === '*')
          ? token.replace(/[^\n]/g, ' ')
          : `0${' '.repeat(token.length - 1)}`;
      if (!/^\/[/*]/.test(token)) last = '0';
      at += token.length;
    } else if (rest.startsWith('`')) {
      const [template, holes] = readTemplate(rest);
      out += `0 ${holes} `;
      last = '0';
      at += template.length;
    } else {
      const [word = rest[0] ?? ''] = /^[\w$]+/.exec(rest) ?? [];
      out += word;
      if (word.trim() !== '') last = word;
      at += word.length;
    }
  }
  return out;
}

function mayBeginValue(last: string): boolean {
  return (
    last === '' ||
    /^[([{,;:=!&|?+\-*%<>~^]$/.test(last) ||
    /^(?:return|typeof|case|in|of|await|throw|else)$/.test(last)
  );
}

/** A template literal and the code in its holes. */
function readTemplate(text: string): [template: string, holes: string] {
  let holes = '';
  let at = 1;
  while (at < text.length && text[at] !== '`') {
    if (text[at] === '\\') at += 2;
    else if (text.startsWith('${', at)) {
      let depth = 1;
      const begin = (at += 2);
      while (at < text.length && depth > 0) {
        if (text[at] === '`') {
          at += readTemplate(text.slice(at))[0].length;
          continue;
        }
        if (text[at] === '{') depth++;
        if (text[at] === '}') depth--;
        at++;
      }
      holes += ` ${blank(text.slice(begin, at - 1))} `;
    } else at++;
  }
  return [text.slice(0, at + 1), holes];
}
