/** `postern keys list|rotate|export`: the signing keys, with or without a running service. */
import { signingKeyReply } from '../features/discovery/key-acts.ts';
import { ROTATION_DELAY_MS } from '../features/discovery/rotate-signing-key.ts';
import { rfc3339 } from '../http/fields.ts';
import { recorded } from '../core/audit/audited-event.ts';
import { confirm } from './confirm.ts';
import { contextOf, operatorCommit } from './operator-commit.ts';
import { SILENT } from './with-app.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { withKeys } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

export const keysList: Verb = {
  name: 'keys list',
  summary: 'Lists the signing keys: which one signs and which ones still verify.',
  examples: ['postern keys list', 'postern keys list --json'],
  options: [JSON_OPTION],
  run: (call) =>
    withKeys(call, async (keys) => {
      for (const key of keys.list()) {
        const row = signingKeyReply(key);
        if (call.has('json')) call.output.answerJson(row);
        else
          call.output.answer(
            `${row.kid.padEnd(43)}  ${row.purpose.padEnd(8)}  ${row.algorithm.padEnd(5)}  ${row.state.padEnd(9)}  from ${row.activates_at}${row.retires_at === null ? '' : `  until ${row.retires_at}`}`,
          );
      }
      return EXIT.done;
    }),
};

export const keysRotate: Verb = {
  name: 'keys rotate',
  summary: 'Creates a new signing key; it signs once JWKS caches have had time to learn it.',
  examples: [
    'postern keys rotate',
    'postern keys rotate --now --withdraw --yes   (the old key has leaked)',
  ],
  options: [
    {
      flags: '--now',
      sentence: 'sign with it at once; verifiers that cache must fetch the JWKS on an unknown kid',
      default: `in ${ROTATION_DELAY_MS / 60_000} minutes`,
    },
    {
      flags: '--withdraw',
      sentence: 'stop accepting the older keys at once; all tokens signed by them are refused',
    },
    {
      flags: '--internal',
      sentence:
        'rotate the key of refresh and challenge tokens; with --withdraw everyone has to sign in again',
    },
    { flags: '--yes', sentence: 'skip the confirmation' },
    JSON_OPTION,
  ],
  run: async (call) => {
    const withdraw = call.has('withdraw');
    const purpose = call.has('internal') ? 'internal' : 'access';
    if (withdraw && !call.has('now'))
      throw new CliRefusal(
        EXIT.usage,
        '--withdraw needs --now: without a key that signs at once nobody could sign in\nsee: postern keys rotate --help',
      );
    if (withdraw)
      await confirm(
        call,
        `All ${purpose === 'access' ? 'access tokens' : 'sessions'} signed with the current keys will be refused at once.`,
      );
    return withKeys(call, async (keys, config, db) => {
      if (purpose === 'access' && config.tokens.algorithm === 'HS256')
        throw new CliRefusal(
          EXIT.failed,
          'under HS256 the key is tokens.shared_secret. Change it there and at every sibling.',
        );
      const delayMs = call.has('now') ? 0 : ROTATION_DELAY_MS;
      const kid = await keys.rotate(purpose, delayMs, { withdraw });
      const record = recorded('signing_key.rotated', 'a signing key was made', {
        kid,
        ...(withdraw ? { reason: 'withdrawn' } : {}),
      });
      await operatorCommit(call, db).commit(contextOf(call, SILENT), [record]);
      const activatesAt = keys.list().find((key) => key.kid === kid)?.activatesAt ?? 0;
      if (call.has('json')) call.output.answerJson({ kid, activates_at: rfc3339(activatesAt) });
      else call.output.answer(`${kid} signs from ${rfc3339(activatesAt)}.`);
      return EXIT.done;
    });
  },
};

export const keysExport: Verb = {
  name: 'keys export',
  summary: 'Prints the public keys, as PEM for HAProxy and similar programs, or as a JWKS.',
  examples: ['postern keys export --pem > postern.pem', 'postern keys export --jwks'],
  options: [
    { flags: '--pem', sentence: 'SPKI PEM of the key that signs' },
    { flags: '--jwks', sentence: 'all published keys as a JWK set' },
    { flags: '--kid <id>', sentence: 'a published key other than the one that signs' },
  ],
  run: (call) => {
    const pem = call.has('pem');
    if (pem === call.has('jwks'))
      throw new CliRefusal(
        EXIT.usage,
        'give either --pem or --jwks\nsee: postern keys export --help',
      );
    return withKeys(call, async (keys) => {
      const published = keys.published();
      if (published.length === 0)
        throw new CliRefusal(EXIT.failed, 'under HS256 there is no public key.');
      if (!pem) {
        call.output.answerJson({ keys: published.map(({ jwk }) => jwk) });
        return EXIT.done;
      }
      const kid = call.text('kid');
      const chosen =
        kid === undefined ? published[0] : published.find(({ jwk }) => jwk.kid === kid);
      if (chosen === undefined)
        throw new CliRefusal(
          EXIT.failed,
          'no published key has that id. postern keys list shows them.',
        );
      call.output.answer(chosen.pem);
      return EXIT.done;
    });
  },
};
