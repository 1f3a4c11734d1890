/**
 * Caches the shapes of header records that grow by one name at a time: copying a record that
 * already has a name takes a twentieth of the time of adding the name, and every answer to GET
 * /verify adds three.
 */
import type { HeaderRecord } from './answer.ts';

/**
 * A record and those with one more name. Names come from the program, so their number is bounded.
 */
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
  /**
   * A new record: the headers of `base`, and more; a later value of a name replaces an earlier one.
   */
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
      // If `base` has this name already, it has a value of its own.
      for (let at = 0; at < names.length; at++) all[names[at] ?? ''] = values[at] ?? '';
      return all;
    },
  };
}
