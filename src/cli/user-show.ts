/** `postern user show|sessions`: why somebody can't sign in, in one answer. */
import { sessionOfUserReply, userDetailReply } from '../features/admin/replies.ts';
import { showUser } from '../features/admin/show-user.ts';
import type { ShownUser } from '../features/admin/show-user.ts';
import { NAME, counted, nameOf, withUser } from './on-user.ts';
import { visible } from './terminal-log.ts';
import { JSON_OPTION } from './verb.ts';
import type { Verb } from './verb.ts';

type Detail = ReturnType<typeof userDetailReply>;

/** What an operator reads of each obstacle, and what helps. */
const HELP: Readonly<Record<ShownUser['obstacles'][number], string>> = {
  disabled: 'the account is disabled: postern user enable',
  no_sign_in_name: 'it has no username and no verified address: postern user reset-link',
  no_first_factor: 'it has no password and no passkey: postern user reset-link',
  password_change_required: 'a new password is demanded: the link goes out at the next sign-in',
  locked: 'too many failed attempts, locked: postern user unlock',
  waiting: 'too many failed attempts, a wait is running: postern user unlock',
  mfa_enrolment_overdue: 'a second factor is overdue: postern user renew-grace',
};

export const userShow: Verb = {
  name: 'user show',
  summary: [
    'Shows everything about an account: its state and what keeps it from signing in, factors,',
    'sessions, failed attempts, waiting emails.',
  ].join(' '),
  examples: ['postern user show ada', 'postern user show ada@example.com --json'],
  arguments: [NAME],
  options: [JSON_OPTION],
  run: (call) =>
    withUser(call, null, async ({ kernel, context }, user) => {
      const shown = await showUser(kernel)(context, user);
      const detail = userDetailReply(shown);
      if (call.has('json')) return call.output.answerJson(detail);
      for (const line of linesOf(shown, detail)) call.output.answer(visible(line));
    }),
};

export const userSessions: Verb = {
  name: 'user sessions',
  summary: 'Lists the sessions of an account, the last used first.',
  examples: ['postern user sessions ada', 'postern user sessions ada --json | jq -r .ip'],
  arguments: [NAME],
  options: [JSON_OPTION],
  run: (call) =>
    withUser(call, null, async ({ kernel }, user) => {
      const sessions = (await kernel.sessions.list(user.id)).map(sessionOfUserReply);
      for (const session of sessions) {
        if (call.has('json')) call.output.answerJson(session);
        else call.output.answer(visible(sessionLine(session)));
      }
      if (!call.has('json')) call.output.progress(counted(sessions.length, 'session'));
    }),
};

const seconds = (time: string): string => `${time.slice(0, 19)}Z`;

function sessionLine(session: Detail['sessions'][number]): string {
  const { id, last_used_at: used, created_at: began, amr, ip, user_agent: agent } = session;
  return `${id}  used ${seconds(used)}  begun ${seconds(began)}  ${amr.join('+')}  ${ip ?? '-'}  ${agent ?? '-'}`;
}

function attemptLine(attempt: Detail['failed_attempts'][number]): string {
  const { purpose, scope, failures, last_at: last, blocked_until: until, locked } = attempt;
  const wait = until === null ? '' : `, blocked until ${seconds(until)}`;
  const whose = scope === 'anybody' ? '' : ` by one ${scope}`;
  return `${purpose}: ${failures}${whose}, last ${seconds(last)}${locked ? ', locked' : wait}`;
}

function emailLine(email: Detail['waiting_emails'][number]): string {
  const { letter, recipient, state, attempts, last_error: error } = email;
  const why = error === null ? '' : `: ${error}`;
  return `${letter} to ${recipient}, ${state === 'dead' ? 'given up' : 'waits'}, tried ${attempts}${why}`;
}

const field = (name: string, value: string): string => `${name.padEnd(17)}${value}`;

/** Lines of one kind: the name stands beside the first. */
const several = (name: string, values: readonly string[]): readonly string[] =>
  values.length === 0 ? [field(name, 'none')] : values.map((v, at) => field(at ? '' : name, v));

const stateOf = ({ disabled, anonymous }: Detail): string =>
  `${disabled ? 'disabled' : 'enabled'}${anonymous ? ', a guest account' : ''}`;

const phoneLine = ({ phone, phone_verified: isVerified }: Detail): string =>
  phone === null ? 'none' : `${phone}${isVerified ? '' : ' (unverified)'}`;

function linesOf(shown: ShownUser, detail: Detail): readonly string[] {
  const { user, obstacles } = shown;
  const pending = user.pendingEmail === null ? [] : [`${user.pendingEmail} (unverified)`];
  const addresses = [...(user.email === null ? [] : [user.email]), ...pending];
  const changed = detail.password_changed_at;
  return [
    field('user', `${nameOf(user)} (${user.id})`),
    ...(user.externalId === null ? [] : [field('external id', user.externalId)]),
    ...several('email', addresses),
    field('phone', phoneLine(detail)),
    field('state', stateOf(detail)),
    field('made', `${seconds(detail.created_at)}, changed ${seconds(detail.updated_at)}`),
    ...several(
      'sign-in',
      obstacles.length === 0 ? ['nothing is in the way'] : obstacles.map((name) => HELP[name]),
    ),
    field('password', changed === null ? 'none' : `set ${seconds(changed)}`),
    field('factors', shown.enrolled.join(', ') || 'none'),
    field('claims', JSON.stringify(detail.claims)),
    ...several('sessions', detail.sessions.map(sessionLine)),
    ...several('failed attempts', detail.failed_attempts.map(attemptLine)),
    ...several('emails', detail.waiting_emails.map(emailLine)),
  ];
}
