/** Calls with lines instead of a body, and what came of them. */
import { createAdminRig } from '../admin/rig.ts';
import type { AdminRig } from '../admin/rig.ts';
import type { Reply, TestAppOptions } from '../support/app.ts';

export interface ImportRig extends AdminRig {
  /** Sends lines; texts as they are, everything else as JSON. */
  lines(lines: readonly unknown[], query?: string): Promise<Reply>;
}

const ndjson = (lines: readonly unknown[]): string =>
  lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join('');

export async function createImportRig(options: TestAppOptions = {}): Promise<ImportRig> {
  const rig = await createAdminRig(options);
  return {
    ...rig,
    lines: (lines, query = '') =>
      rig.app.call('POST', `/admin/users/import${query}`, {
        raw: ndjson(lines),
        headers: { 'postern-key': rig.key.text, 'content-type': 'application/x-ndjson' },
      }),
  };
}
