/** `postern export` and `postern user export`: users, and everything about one. */
import { contextOf, operatorCommit } from './operator-commit.ts';
import { once } from 'node:events';
import { exportUser, exportUsers, note } from '../features/admin/export-users.ts';
import type { Hashes, Secrets } from '../features/admin/export-users.ts';
import type { Kernel } from '../core/kernel.ts';
import { EXIT } from './exit.ts';
import type { ExitCode } from './exit.ts';
import { NAME, counted, withUser } from './on-user.ts';
import { withDatabase } from './state.ts';
import type { Verb, VerbCall } from './verb.ts';
import { withApp } from './with-app.ts';

const WITH_HASHES = {
  flags: '--with-hashes',
  sentence:
    'with password hashes, seeds of authenticator apps and passkeys: keep the result like the database and its key',
};

const hashesOf = (call: VerbCall): Hashes =>
  call.has('with-hashes') ? 'with_hashes' : 'without_hashes';

export const exportAll: Verb = {
  name: 'export',
  summary: [
    'Prints every account as a line of JSON (NDJSON), oldest first, which postern import takes',
    'back; without passwords and second factors.',
  ].join(' '),
  examples: ['postern export > users.ndjson', 'postern export --with-hashes | gzip > users.gz'],
  options: [WITH_HASHES],
  run: (call) =>
    hashesOf(call) === 'with_hashes'
      ? withApp(call, (kernel) => exportTo(call, kernel, kernel.factors.portables))
      : withDatabase(call, (db) => exportTo(call, { db, ...operatorCommit(call, db) }, null)),
};

async function exportTo(
  call: VerbCall,
  { db, commit }: Pick<Kernel, 'db' | 'commit'>,
  secrets: Secrets,
): Promise<ExitCode> {
  const { stdout } = call.context;
  let count = 0;
  for await (const line of exportUsers(db, secrets)) {
    count += 1;
    // A reader that is slower than the database must not fill the memory.
    if (!stdout.write(line)) await once(stdout, 'drain');
  }
  await note({ commit }, contextOf(call), hashesOf(call));
  call.output.progress(counted(count, 'account'));
  return EXIT.done;
}

export const userExport: Verb = {
  name: 'user export',
  summary: [
    'Prints everything that is kept about the user of an account as JSON, for a data request;',
    'no secret is in it.',
  ].join(' '),
  examples: ['postern user export ada > ada.json', 'postern user export ada --with-hashes | jq'],
  arguments: [NAME],
  options: [{ ...WITH_HASHES, sentence: 'with the password hash, as it is stored' }],
  run: (call) =>
    withUser(call, null, async ({ kernel }, user) => {
      const all = await exportUser(kernel)(contextOf(call), user, hashesOf(call));
      call.output.answer(JSON.stringify(all, null, 2));
    }),
};
