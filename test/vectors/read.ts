import { readFileSync } from 'node:fs';

/** The records of one file of this folder: a JSON value on each line. README.md describes them. */
export function readVectors(name: string): readonly unknown[] {
  return readFileSync(new URL(`${name}.jsonl`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}
