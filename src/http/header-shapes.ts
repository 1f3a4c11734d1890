/**
 * Header records that grow by a name at a time, kept: a copy of a record that has the name already
 * costs a twentieth of a copy to which it is added, and every answer to GET /verify has three more.
 */
import type { HeaderRecord } from './answer.ts';

/** A record and those with one more name. Names come from the program, so their number is bounded. */
interface Shape {
  readonly record: HeaderRecord;
  readonly next: Map<string, Shape>;
}

/** Headers to be added, each name beside its value. */
export interface MoreHeaders {
  readonly names: string[];
  readonly values: string[];
}

export interface HeaderShapes {
  /** A new record: those of `base`, and more; later ones of one name replace earlier ones. */
  extend(base: HeaderRecord, more: MoreHeaders): Record<string, string>;
}

function withName(shape: Shape, name: string): Shape {
  if (shape.record[name] !== undefined) return shape;
  let next = shape.next.get(name);
  if (next === undefined) {
    next = { record: { ...shape.record, [name]: '' }, next: new Map() };
    shape.next.set(name, next);
  }
  return next;
}

export function headerShapes(): HeaderShapes {
  const roots = new WeakMap<HeaderRecord, Shape>();
  return {
    extend: (base, { names, values }) => {
      let shape = roots.get(base);
      if (shape === undefined) {
        shape = { record: base, next: new Map() };
        roots.set(base, shape);
      }
      for (const name of names) shape = withName(shape, name);
      const all: Record<string, string> = { ...shape.record };
      // What the base has by this name is a value of its own.
      for (let at = 0; at < names.length; at++) all[names[at] ?? ''] = values[at] ?? '';
      return all;
    },
  };
}
