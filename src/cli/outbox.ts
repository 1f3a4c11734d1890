/**
 * `postern outbox list
 * retry`, `postern mail test`: waiting emails, given-up emails, and whether sending works.
 */
import { canonicalEmail } from '../lib/email-address.ts';
import { listOutbox, retryOutbox } from '../core/email/outbox.ts';
import type { OutboxEntry } from '../core/email/outbox.ts';
import { listDeadLetters, retryLetters } from '../features/event-stream/store.ts';
import type { DeadLetter } from '../features/event-stream/store.ts';
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
  summary:
    'Lists emails that wait or were given up, and events that a stream gave up, with the last error; never their content.',
  examples: ['postern outbox list', 'postern outbox list --json'],
  options: [JSON_OPTION],
  run: (call) =>
    withDatabase(call, async (db) => {
      const entries = await listOutbox(db);
      const letters = await listDeadLetters(db);
      if (call.has('json')) {
        for (const entry of entries) call.output.answerJson(jsonOf(entry));
        for (const letter of letters) call.output.answerJson(jsonOfEvent(letter));
        return EXIT.done;
      }
      for (const entry of entries) call.output.answer(lineOf(entry));
      for (const letter of letters) call.output.answer(lineOfEvent(letter));
      call.output.progress(counted(entries.length, letters.length));
      return EXIT.done;
    }),
};

function jsonOf(entry: OutboxEntry): Record<string, unknown> {
  return {
    id: entry.id,
    letter: entry.template,
    recipient: entry.recipient,
    state: entry.state,
    attempts: entry.attempts,
    next_at: rfc3339(entry.nextAt),
    created_at: rfc3339(entry.createdAt),
    expires_at: rfc3339(entry.expiresAt),
    last_error: entry.lastError,
  };
}

function lineOf(entry: OutboxEntry): string {
  const { id, state, template, recipient, attempts, nextAt, lastError } = entry;
  const next = state === 'pending' ? `, next ${rfc3339(nextAt)}` : '';
  const error = lastError === null ? '' : `  ${lastError}`;
  return `${id}  ${state.padEnd(7)}  ${template.padEnd(24)}  ${recipient.padEnd(32)}  tried ${attempts}${next}${error}`;
}

function jsonOfEvent(letter: DeadLetter): Record<string, unknown> {
  return {
    id: letter.eventId,
    stream: letter.stream,
    event: letter.event,
    state: letter.retryAt === null ? 'dead' : 'pending',
    failed_at: rfc3339(letter.failedAt),
    last_error: letter.error,
  };
}

function lineOfEvent(letter: DeadLetter): string {
  const state = letter.retryAt === null ? 'dead' : 'pending';
  return `${letter.eventId}  ${state.padEnd(7)}  ${letter.event.padEnd(24)}  stream ${letter.stream.padEnd(25)}  failed ${rfc3339(letter.failedAt)}  ${letter.error}`;
}

function counted(emails: number, events: number): string {
  const first = `${emails} ${emails === 1 ? 'email' : 'emails'}`;
  return events === 0 ? first : `${first}, ${events} ${events === 1 ? 'event' : 'events'}`;
}

export const outboxRetry: Verb = {
  name: 'outbox retry',
  summary: 'Sends waiting and given-up emails and given-up events now, one or all of them.',
  examples: ['postern outbox retry', 'postern outbox retry 01a1fe1f-4f57-71f1-8260-39b2a9e7b97e'],
  arguments: [{ name: '[id]', sentence: 'the id of one email or event; default: all' }],
  options: [JSON_OPTION],
  run: (call) =>
    withDatabase(call, async (db) => {
      const id = call.arguments[0] ?? '';
      const now = call.context.clock.now();
      const [letters] = await db.write([retryLetters(id, now)]);
      const emails = await retryOutbox(db, now, id);
      const count = emails + (letters?.length ?? 0);
      if (id !== '' && count === 0)
        throw new CliRefusal(
          EXIT.failed,
          'no email or event with this id can still be sent. postern outbox list shows those that can.',
        );
      if (call.has('json')) call.output.answerJson({ count });
      else call.output.answer(`${counted(emails, letters?.length ?? 0)} will be sent again.`);
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
