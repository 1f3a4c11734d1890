/**
 * Importing users from NDJSON, a user a line. Lines share commits, and each is whole or absent; one
 * that is there already is left alone, so that an import that was cut off is simply run again.
 */
import { recorded } from '../../core/audit/audited-event.ts';
import { setTimeout } from 'node:timers/promises';
import type { Context } from '../../core/context.ts';
import type { Kernel } from '../../core/kernel.ts';
import { Refusal, invalidRequest } from '../../refusal.ts';
import type { InputFault } from '../../refusal.ts';
import { importUser } from './import-user.ts';
import type { Mode, Outcome, PreparedLine, Seen } from './import-user.ts';
import { MAX_LINE_BYTES, linesOf } from './lines.ts';
import type { Line } from './lines.ts';

/** A line that was refused, and why; never what stands in it. */
export interface RefusedLine {
  readonly line: number;
  readonly errors: readonly InputFault[];
}

export interface ImportCounts {
  lines: number;
  created: number;
  existing: number;
  refused: number;
}

export interface ImportOptions {
  readonly mode: Mode;
  /** Lines at a time: those that share a commit, and are in memory. */
  readonly batch: number;
  readonly onRefused: (refused: RefusedLine) => void;
  /** Called after each batch, with the bytes that are done. */
  readonly onBatch?: (bytes: number) => void;
}

/** How long to leave the hash lanes to others when they are busy, milliseconds. */
const BUSY_PAUSE_MS = 100;

const UNREADABLE: InputFault = {
  pointer: '',
  code: 'malformed_line',
  detail: `This line is longer than ${MAX_LINE_BYTES} bytes, or not UTF-8.`,
};

/** What a line is refused with; undefined for an error that is not the line's. */
function faultsOf(error: unknown): readonly InputFault[] | undefined {
  if (!(error instanceof Refusal)) return undefined;
  if (error.code === 'invalid_request') return error.options.errors ?? [];
  const detail = 'Another account has one of these passkeys, or there are too many of them.';
  return error.code === 'passkey_registered' || error.code === 'too_many_passkeys'
    ? [{ pointer: '/passkeys', code: 'taken', detail }]
    : undefined;
}

async function whenNotBusy<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'overloaded') throw error;
      await setTimeout(BUSY_PAUSE_MS);
      signal.throwIfAborted();
    }
  }
}

type Settled = Outcome | RefusedLine;

/** What a line's work gives, or why the line is refused. */
async function refusing<T>(line: number, work: () => Promise<T>): Promise<T | RefusedLine> {
  try {
    return await work();
  } catch (error) {
    const errors = faultsOf(error);
    if (errors === undefined) throw error;
    return { line, errors };
  }
}

const NONE_SEEN: Seen = { has: () => false, add: () => undefined };

/** Its function throws what is no line's fault, such as {StorageUnavailable}; lines before stay. */
export function importUsers(kernel: Kernel) {
  return async (
    context: Context,
    stream: AsyncIterable<Uint8Array>,
    { mode, batch: size, onRefused, onBatch }: ImportOptions,
  ): Promise<ImportCounts> => {
    const one = importUser(kernel, mode === 'dry_run' ? new Set<string>() : NONE_SEEN);
    const counts = { lines: 0, created: 0, existing: 0, refused: 0 };

    const prepare = ({ number, content }: Line): Promise<PreparedLine | RefusedLine> =>
      refusing(number, () => {
        if (content === undefined) throw invalidRequest(UNREADABLE);
        return whenNotBusy(context.signal, () => one.prepare(content, mode));
      });

    /** All are prepared before the first is stored, in their order: the first of two names wins. */
    const importBatch = async (batch: readonly Line[]): Promise<readonly Settled[]> => {
      const prepared = await Promise.all(batch.map(prepare));
      return Promise.all(
        prepared.map((line, at) =>
          'errors' in line
            ? line
            : refusing(batch[at]?.number ?? 0, () => one.store(context, line)),
        ),
      );
    };

    /** Each line is compared with those before it. */
    const checkBatch = async (batch: readonly Line[]): Promise<readonly Settled[]> => {
      const settled: Settled[] = [];
      for (const line of batch) {
        const checked = await prepare(line);
        if ('errors' in checked) settled.push(checked);
        else settled.push(checked.statements === null ? 'existing' : 'created');
      }
      return settled;
    };

    const settle = async (batch: readonly Line[]): Promise<void> => {
      context.signal.throwIfAborted();
      const settled = await (mode === 'import' ? importBatch(batch) : checkBatch(batch));
      for (const outcome of settled) {
        counts.lines += 1;
        counts[typeof outcome === 'string' ? outcome : 'refused'] += 1;
        if (typeof outcome !== 'string') onRefused(outcome);
      }
      onBatch?.(batch.at(-1)?.end ?? 0);
    };

    let batch: Line[] = [];
    for await (const line of linesOf(stream)) {
      batch.push(line);
      if (batch.length < size) continue;
      await settle(batch);
      batch = [];
    }
    if (batch.length > 0) await settle(batch);
    await note(kernel, context, counts, mode);
    return counts;
  };
}

async function note(
  { commit }: Pick<Kernel, 'commit'>,
  context: Context,
  { created, refused }: ImportCounts,
  mode: Mode,
): Promise<void> {
  if (mode === 'dry_run' || created + refused === 0) return;
  const message = `an operator imported users: ${created} created, ${refused} lines refused`;
  await commit(context, [recorded('user.imported', message, { count: created })]);
}
