/** Chromium for tests: no network but loopback, closed when the test file is done. */
import { chromium } from 'playwright-core';
import type { Browser } from 'playwright-core';
import { PEERS } from './peers.ts';

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: PEERS.chromium.path,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1',
    ],
  });
}
