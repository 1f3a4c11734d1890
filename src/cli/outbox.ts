/**
 * `postern outbox list|retry`, `postern mail test`: emails that wait, emails that were given up,
 * and whether sending works.
 */
import { canonicalEmail } from '../lib/email-address.ts';
import { listOutbox, retryOutbox } from '../core/email/outbox.ts';
import { renderEmail } from '../delivery/templates.ts';
import { DeliveryError } from '../delivery/transport.ts';
import { CliRefusal, EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { mailTransports, ownTemplates } from './mail-ways.ts';
import { withDatabase } from './state.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

const rfc3339 = (milliseconds: number): string => new Date(milliseconds).toISOString();

export const outboxList: Verb = {
  name: 'outbox list',
  summary: 'Lists emails that wait or were given up, with the last error; never their content.',
  examples: ['postern outbox list', 'postern outbox list --json'],
  options: [JSON_OPTION],
  run: (call) =>
    withDatabase(call, async (db) => {
      const entries = await listOutbox(db);
      for (const entry of entries) {
        const {
          id,
          template,
          recipient,
          state,
          attempts,
          nextAt,
          createdAt,
          expiresAt,
          lastError,
        } = entry;
        if (call.has('json')) {
          call.output.answerJson({
            id,
            letter: template,
            recipient,
            state,
            attempts,
            next_at: rfc3339(nextAt),
            created_at: rfc3339(createdAt),
            expires_at: rfc3339(expiresAt),
            last_error: lastError,
          });
        } else
          call.output.answer(
            `${id}  ${state.padEnd(7)}  ${template.padEnd(24)}  ${recipient.padEnd(32)}  tried ${attempts}${state === 'pending' ? `, next ${rfc3339(nextAt)}` : ''}${lastError === null ? '' : `  ${lastError}`}`,
          );
      }
      if (!call.has('json'))
        call.output.progress(`${entries.length} ${entries.length === 1 ? 'email' : 'emails'}`);
      return EXIT.done;
    }),
};

export const outboxRetry: Verb = {
  name: 'outbox retry',
  summary: 'Sends waiting and given-up emails now, one or all of them.',
  examples: ['postern outbox retry', 'postern outbox retry 01a1fe1f-4f57-71f1-8260-39b2a9e7b97e'],
  arguments: [{ name: '[id]', sentence: 'the id of one email; default: all' }],
  options: [JSON_OPTION],
  run: (call) =>
    withDatabase(call, async (db) => {
      const id = call.arguments[0] ?? '';
      const count = await retryOutbox(db, call.context.clock.now(), id);
      if (id !== '' && count === 0)
        throw new CliRefusal(
          EXIT.failed,
          'there is no such email that can still be sent. postern outbox list shows them.',
        );
      if (call.has('json')) call.output.answerJson({ count });
      else
        call.output.answer(`${count} ${count === 1 ? 'email is' : 'emails are'} being sent again.`);
      return EXIT.done;
    }),
};

export const mailTest: Verb = {
  name: 'mail test',
  summary: 'Sends a test email by each configured transport and reports each result.',
  examples: [
    'postern mail test --to you@example.com',
    'postern mail test --to you@example.com --config /etc/postern/config.toml',
  ],
  options: [{ flags: '--to <address>', sentence: 'the recipient' }],
  run: async (call) => {
    const to = call.text('to');
    if (to === undefined || canonicalEmail(to) === null)
      throw new CliRefusal(
        EXIT.usage,
        '--to needs one plain address, such as you@example.com\nsee: postern mail test --help',
      );
    const { config } = loadConfig(call);
    const email = {
      id: `test-${call.context.clock.now()}`,
      template: 'test' as const,
      to,
      values: {},
      ...renderEmail('test', {}, config.server.name, ownTemplates(config.mail.templates_dir)),
    };
    let failed = 0;
    for (const transport of mailTransports(config, call.context.clock)) {
      try {
        await transport.send(email);
        call.output.answer(`ok    ${transport.name}`);
      } catch (error) {
        if (!(error instanceof DeliveryError)) throw error;
        failed++;
        call.output.answer(`fail  ${transport.name}  ${error.message}`);
      } finally {
        transport.close();
      }
    }
    return failed === 0 ? EXIT.done : EXIT.failed;
  },
};
