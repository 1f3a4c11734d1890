/**
 * Finds the positions of keys and values in a TOML text. The parser reports positions only for
 * syntax errors, so this walks a text that the parser accepted. On other texts the result is
 * undefined, but the walk always ends.
 *
 * @see https://toml.io/en/v1.0.0
 */

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Positions of a key and of its value; for a section, both are its heading. */
export interface KeyPosition {
  readonly key: Position;
  readonly value: Position;
}

/**
 * Positions by dotted path, such as `tokens.access_ttl`; the first one if a path occurs several
 * times.
 */
export function findPositions(toml: string): ReadonlyMap<string, KeyPosition> {
  return new Walk(toml).run();
}

class Walk {
  readonly #text: string;
  readonly #found = new Map<string, KeyPosition>();
  #at = 0;
  #line = 1;
  #lineStart = 0;
  #counted = 0;

  constructor(text: string) {
    this.#text = text;
  }

  run(): ReadonlyMap<string, KeyPosition> {
    let section: readonly string[] = [];
    for (this.#skipBlank(); this.#at < this.#text.length; this.#skipBlank()) {
      const before = this.#at;
      if (this.#text[this.#at] === '[') section = this.#heading();
      else this.#pair(section);
      if (this.#at === before) this.#at += 1;
    }
    return this.#found;
  }

  #heading(): readonly string[] {
    const start = this.#position();
    while (this.#text[this.#at] === '[') this.#at += 1;
    const path = this.#path();
    while (this.#text[this.#at] === ']') this.#at += 1;
    this.#note(path, start, start);
    return path;
  }

  #pair(prefix: readonly string[]): void {
    const start = this.#position();
    const path = [...prefix, ...this.#path()];
    if (this.#text[this.#at] === '=') this.#at += 1;
    this.#skip(/[ \t]*/y);
    // Recorded before the value is walked, because an inline table records its own keys below this
    // one.
    this.#note(path, start, this.#position());
    this.#value(path);
  }

  #path(): string[] {
    const path: string[] = [];
    do {
      this.#skip(/[ \t.]*/y);
      const quoted = /"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([A-Za-z0-9_-]+)/y;
      const [whole, basic, literal, bare] = this.#match(quoted);
      if (whole === undefined) break;
      path.push(basic ?? literal ?? bare ?? '');
      this.#skip(/[ \t]*/y);
    } while (this.#text[this.#at] === '.');
    return path;
  }

  #value(path: readonly string[]): void {
    const first = this.#text[this.#at];
    if (first === '[') this.#array();
    else if (first === '{') this.#inlineTable(path);
    else if (
      this.#match(
        /"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}|'''[\s\S]*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y,
      )[0] === undefined
    )
      this.#skip(/[^,\]}#\n]*/y);
  }

  #array(): void {
    this.#at += 1;
    for (
      this.#skipBlank();
      this.#at < this.#text.length && this.#text[this.#at] !== ']';
      this.#skipBlank()
    ) {
      const before = this.#at;
      // Keys of tables within lists have no path of their own; the list's position is used.
      this.#value([]);
      this.#skipBlank();
      if (this.#text[this.#at] === ',' || this.#at === before) this.#at += 1;
    }
    this.#at += 1;
  }

  #inlineTable(path: readonly string[]): void {
    this.#at += 1;
    for (
      this.#skipBlank();
      this.#at < this.#text.length && this.#text[this.#at] !== '}';
      this.#skipBlank()
    ) {
      const before = this.#at;
      this.#pair(path);
      this.#skipBlank();
      if (this.#text[this.#at] === ',' || this.#at === before) this.#at += 1;
    }
    this.#at += 1;
  }

  #note(path: readonly string[], key: Position, value: Position): void {
    for (let length = 1; length <= path.length; length += 1) {
      const name = path.slice(0, length).join('.');
      if (!this.#found.has(name)) this.#found.set(name, { key, value });
    }
  }

  #skipBlank(): void {
    this.#skip(/(?:[ \t\r\n]|#[^\n]*)*/y);
  }

  #skip(pattern: RegExp): void {
    this.#match(pattern);
  }

  #match(pattern: RegExp): readonly (string | undefined)[] {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return [];
    this.#at = pattern.lastIndex;
    return match;
  }

  #position(): Position {
    // Positions are requested from left to right, so each line end is counted once.
    for (
      let end = this.#text.indexOf('\n', this.#counted);
      end >= 0 && end < this.#at;
      end = this.#text.indexOf('\n', this.#counted)
    ) {
      this.#line += 1;
      this.#counted = end + 1;
      this.#lineStart = end + 1;
    }
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }
}
