/** A gate in front of the hash lanes: a test holds them, and knows that nothing is hashed meanwhile. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BroadcastChannel } from 'node:worker_threads';

export interface Gate {
  /** What the hasher is given as its lane. */
  readonly laneUrl: URL;
  /** Resolves when every lane stands still; a lane that is at work ends that first. */
  hold(): Promise<void>;
  release(): Promise<void>;
  close(): void;
}

let gates = 0;

/** @param directory where the gate may leave a file */
export function createGate(directory: string, lanes: number): Gate {
  const name = `gate-${process.pid}-${++gates}`;
  const lane = new URL('./gated-lane.mjs', import.meta.url);
  lane.searchParams.set('gate', name);
  // A worker's own address loses what it asks for, an import's does not.
  const file = join(directory, `${name}.mjs`);
  writeFileSync(file, `import ${JSON.stringify(lane.href)};\n`);
  const channel = new BroadcastChannel(name);
  let acknowledged = (): void => undefined;
  channel.onmessage = ({ data }) => {
    if (data === 'done') acknowledged();
  };
  channel.unref();
  const tell = (what: 'hold' | 'release'): Promise<void> =>
    new Promise<void>((resolve) => {
      let missing = lanes;
      acknowledged = () => {
        if (--missing === 0) resolve();
      };
      channel.ref();
      channel.postMessage(what);
    }).then(() => {
      channel.unref();
    });
  return {
    laneUrl: pathToFileURL(file),
    hold: () => tell('hold'),
    release: () => tell('release'),
    close: () => {
      channel.close();
      rmSync(file, { force: true });
    },
  };
}
