/**
 * Moves committed pages from the log into the database file, in a thread of its own: a checkpoint
 * flushes both files. Plain JavaScript, because Node 20 can't run TypeScript in a worker; the build
 * copies it beside the bundle under this name. checkpoints.ts is the other end.
 */
import { parentPort, workerData } from 'node:worker_threads';
import Libsql from 'libsql';

/** @typedef {import('./checkpoints.ts').CheckpointReply} CheckpointReply */

const { path, encryptionKey } = workerData;
const options = { timeout: 0, ...(encryptionKey === undefined ? {} : { encryptionKey }) };
const db = new Libsql(path, options);
db.exec('PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0');
const checkpoint = db.prepare('PRAGMA wal_checkpoint(PASSIVE)').raw(true);

/** @returns {CheckpointReply} */
function run() {
  try {
    /** @type {unknown} */
    const row = checkpoint.get();
    const [, log, moved] = Array.isArray(row) ? row : [];
    return { log: Number(log), moved: Number(moved), error: null };
  } catch (error) {
    return { log: 0, moved: 0, error: error instanceof Error ? error.message : 'unknown' };
  }
}

parentPort?.on('message', (/** @type {'checkpoint' | 'close'} */ message) => {
  if (message === 'checkpoint') {
    parentPort?.postMessage(run());
    return;
  }
  db.close();
  parentPort?.close();
});
