/**
 * What clients of a server that will be killed remember: the acknowledged state of each account,
 * and what was under way when no answer came. `work` changes accounts over HTTP; `audit` asks the
 * restarted server and says where it differs.
 */
import { ask } from '../support/program.mjs';

/**
 * @typedef {import('../support/program.mjs').Where} Where
 * @typedef {import('../support/program.mjs').Reply} Reply
 * @typedef {ReturnType<typeof import('../support/program.mjs').seeded>} Random
 * @typedef {import('node:http').Agent} Agent
 *
 * @typedef {object} Session
 * @property {string} id
 * @property {string} access
 * @property {string} refresh the last one acknowledged
 * @property {string[]} spent its forerunners, the oldest first
 * @property {'live' | 'ended' | 'unsure'} state
 * @property {boolean} refreshUnsure a refresh was under way
 *
 * @typedef {object} Account
 * @property {string} username
 * @property {'there' | 'gone' | 'unsure'} state
 * @property {string} password the last one acknowledged
 * @property {string} former the one before it
 * @property {{ next: string, by: Session } | null} passwordUnsure a change was under way
 * @property {number} profile the last one acknowledged; 0 for none
 * @property {number} profileUnsure the one under way; 0 for none
 * @property {Session[]} sessions
 * @property {number} loginsUnsure sessions that may be there without anybody knowing
 *
 * @typedef {{ where: Where, agent: Agent, random: Random, accounts: Account[], name: string, made:
 *   number, acknowledged: number, statuses: Map<string, number> }} Client
 */

/** An answer that no order of events explains. */
export class Violation extends Error {}

const MAX_ACCOUNTS = 3;
const MAX_SESSIONS = 4;
let counter = 0;

/** @param {Client} client */
function newPassword({ name }) {
  counter += 1;
  return `${name} walks the ${counter} dusty miles home`;
}

/**
 * @param {Client} client
 * @param {string} method
 * @param {string} path
 * @param {{ body?: unknown, token?: string }} [options]
 * @returns {Promise<Reply>}
 */
async function send(client, method, path, options = {}) {
  const reply = await ask(client.where, method, path, { ...options, agent: client.agent });
  const key = `${method} ${path.replace(/[0-9a-f-]{36}/, '{id}')} ${reply.status}`;
  client.statuses.set(key, (client.statuses.get(key) ?? 0) + 1);
  if (reply.status < 300) client.acknowledged += 1;
  return reply;
}

/**
 * @param {Reply} reply
 * @param {number} status
 * @param {string} what
 */
function demand(reply, status, what) {
  if (reply.status !== status)
    throw new Violation(`${what}: ${reply.status} ${reply.body?.code ?? ''} instead of ${status}`);
}

/** @param {any} body @returns {Session} */
function sessionOf(body) {
  return {
    id: body.session_id,
    access: body.access_token,
    refresh: body.refresh_token,
    spent: [],
    state: 'live',
    refreshUnsure: false,
  };
}

/**
 * What a client does; each ends as soon as the answer is there, and leaves its traces before it
 * asks.
 */
const ACTS = {
  /** @param {Client} client */
  async register(client) {
    client.made += 1;
    const username = `${client.name}-${client.made}`;
    const password = newPassword(client);
    /** @type {Account} */
    const account = {
      username,
      state: 'unsure',
      password,
      former: '',
      passwordUnsure: null,
      profile: 0,
      profileUnsure: 0,
      sessions: [],
      loginsUnsure: 1,
    };
    client.accounts.push(account);
    const reply = await send(client, 'POST', '/register', { body: { username, password } });
    demand(reply, 201, 'register');
    account.state = 'there';
    account.loginsUnsure = 0;
    account.sessions.push(sessionOf(reply.body));
  },
  /** @param {Client} client @param {Account} account */
  async login(client, account) {
    account.loginsUnsure += 1;
    const reply = await send(client, 'POST', '/login', {
      body: { username: account.username, password: account.password },
    });
    demand(reply, 200, 'login');
    account.loginsUnsure -= 1;
    account.sessions.push(sessionOf(reply.body));
  },
  /** @param {Client} client @param {Account} _account @param {Session} session */
  async refresh(client, _account, session) {
    session.refreshUnsure = true;
    const reply = await send(client, 'POST', '/refresh', {
      body: { refresh_token: session.refresh },
    });
    demand(reply, 200, 'refresh');
    session.refreshUnsure = false;
    if (reply.body.rotated !== false) session.spent.push(session.refresh);
    session.refresh = reply.body.refresh_token;
    session.access = reply.body.access_token;
  },
  /** @param {Client} client @param {Account} _account @param {Session} session */
  async logout(client, _account, session) {
    session.state = 'unsure';
    demand(
      await send(client, 'POST', '/logout', { body: { refresh_token: session.refresh } }),
      204,
      'logout',
    );
    session.state = 'ended';
  },
  /** @param {Client} client @param {Account} account @param {Session} session */
  async removeSession(client, account, session) {
    const other = account.sessions.find(
      (candidate) => candidate !== session && candidate.state === 'live',
    );
    if (other === undefined) return;
    other.state = 'unsure';
    demand(
      await send(client, 'DELETE', `/me/sessions/${other.id}`, { token: session.access }),
      204,
      'delete session',
    );
    other.state = 'ended';
  },
  /** @param {Client} client @param {Account} account @param {Session} session */
  async changePassword(client, account, session) {
    const next = newPassword(client);
    account.passwordUnsure = { next, by: session };
    demand(
      await send(client, 'POST', '/me/password', {
        token: session.access,
        body: { current_password: account.password, new_password: next },
      }),
      204,
      'change password',
    );
    account.passwordUnsure = null;
    account.former = account.password;
    account.password = next;
    for (const other of account.sessions) if (other !== session) other.state = 'ended';
  },
  /** @param {Client} client @param {Account} account @param {Session} session */
  async changeProfile(client, account, session) {
    counter += 1;
    account.profileUnsure = counter;
    const reply = await send(client, 'PATCH', '/me', {
      token: session.access,
      body: { display_name: `Name ${counter}`, user_metadata: { n: counter } },
    });
    demand(reply, 200, 'change profile');
    account.profile = account.profileUnsure;
    account.profileUnsure = 0;
  },
  /** @param {Client} client @param {Account} account @param {Session} session */
  async deleteAccount(client, account, session) {
    account.state = 'unsure';
    demand(await send(client, 'DELETE', '/me', { token: session.access }), 204, 'delete account');
    account.state = 'gone';
    for (const one of account.sessions) one.state = 'ended';
  },
};

/** Refreshes are cheap and frequent, deletions rare, as in life. */
const MIX = /** @type {const} */ ([
  'refresh',
  'refresh',
  'refresh',
  'refresh',
  'refresh',
  'refresh',
  'login',
  'login',
  'login',
  'changeProfile',
  'changeProfile',
  'logout',
  'removeSession',
  'changePassword',
  'register',
  'deleteAccount',
]);

/**
 * One client at work until it is told to stop or nobody answers any more.
 *
 * @param {Client} client
 * @param {() => boolean} isOver
 * @throws {Violation}
 */
export async function work(client, isOver) {
  const { random } = client;
  while (!isOver()) {
    try {
      const alive = client.accounts.filter(({ state }) => state === 'there');
      if (alive.length === 0) {
        await ACTS.register(client);
        continue;
      }
      const account = random.pick(alive);
      const live = account.sessions.filter(({ state }) => state === 'live');
      const act = random.pick(MIX);
      if (act === 'register') {
        if (alive.length < MAX_ACCOUNTS) await ACTS.register(client);
      } else if (act === 'login' || live.length === 0) {
        if (live.length < MAX_SESSIONS) await ACTS.login(client, account);
      } else await ACTS[act](client, account, random.pick(live));
    } catch (error) {
      if (error instanceof Violation) throw error;
      return; // no answer, or half of one
    }
  }
}

/**
 * Compares an account with what its client remembers, and settles what was unsure. Its sessions
 * have ended afterwards.
 *
 * @param {Client} client at the restarted server
 * @param {Account} account
 * @param {{ grace: boolean }} options whether a lost answer may be asked for again
 * @throws {Violation}
 */
export async function audit(client, account, { grace }) {
  const signIn = (/** @type {string} */ password) =>
    send(client, 'POST', '/login', { body: { username: account.username, password } });
  if (account.former !== '')
    demand(await signIn(account.former), 401, 'the password before the last change');
  const { passwordUnsure } = account;
  let signedIn = await signIn(account.password);
  const changed = signedIn.status === 401 && passwordUnsure !== null;
  if (passwordUnsure !== null) {
    const other = await signIn(passwordUnsure.next);
    if (signedIn.status === other.status && account.state === 'there')
      throw new Violation(
        `of the two passwords around an unanswered change ${other.status === 200 ? 'both work' : 'none works'}`,
      );
    if (changed) {
      signedIn = other;
      account.password = passwordUnsure.next;
      for (const session of account.sessions)
        if (session !== passwordUnsure.by && session.state === 'live') session.state = 'ended';
    }
    account.passwordUnsure = null;
  }
  if (account.state === 'gone' || (account.state === 'unsure' && signedIn.status === 401)) {
    await auditGone(client, account, signedIn);
    return;
  }
  demand(
    signedIn,
    200,
    account.state === 'there'
      ? 'sign-in to an acknowledged account'
      : 'sign-in to an account that may be there',
  );
  account.state = 'there';
  const mine = sessionOf(signedIn.body);
  await auditProfile(client, account, mine.access);
  await auditList(client, account, mine);
  for (const session of account.sessions) await auditSession(client, session, grace);
  demand(
    await send(client, 'POST', '/logout/all', { token: mine.access }),
    204,
    'logout everywhere',
  );
  demand(
    await send(client, 'GET', '/verify', { token: mine.access }),
    401,
    '/verify after logout everywhere',
  );
  account.sessions = [];
  account.loginsUnsure = 0;
}

/** @param {Client} client @param {Account} account @param {Reply} signedIn */
async function auditGone(client, account, signedIn) {
  demand(signedIn, 401, 'sign-in to a deleted account');
  for (const session of account.sessions) {
    demand(
      await send(client, 'POST', '/refresh', { body: { refresh_token: session.refresh } }),
      401,
      'refresh in a deleted account',
    );
    demand(
      await send(client, 'GET', '/me', { token: session.access }),
      401,
      '/me of a deleted account',
    );
    demand(
      await send(client, 'GET', '/verify', { token: session.access }),
      401,
      '/verify of a deleted account',
    );
  }
  account.state = 'gone';
  account.sessions = [];
  // The name is free as a whole: nothing of the account is left that would hold it.
  const again = await send(client, 'POST', '/register', {
    body: { username: account.username, password: newPassword(client) },
  });
  demand(again, 201, 'registering the name of an account that is not there');
  demand(
    await send(client, 'DELETE', '/me', { token: again.body.access_token }),
    204,
    'delete account',
  );
}

/** @param {Client} client @param {Account} account @param {string} access */
async function auditProfile(client, account, access) {
  const { status, body } = await send(client, 'GET', '/me', { token: access });
  if (status !== 200) throw new Violation(`/me answers ${status}`);
  const n = Number(body.user_metadata.n ?? 0);
  if ((body.display_name ?? 'Name 0') !== `Name ${n}`)
    throw new Violation(`half a change of a profile: ${body.display_name} and ${n}`);
  if (n !== account.profile && (account.profileUnsure === 0 || n !== account.profileUnsure))
    throw new Violation(`profile ${n} instead of ${account.profile}`);
  account.profile = n;
  account.profileUnsure = 0;
}

/** @param {Client} client @param {Account} account @param {Session} mine */
async function auditList(client, account, mine) {
  const { body } = await send(client, 'GET', '/me/sessions', { token: mine.access });
  const ids = new Set(body.sessions.map((/** @type {{ id: string }} */ { id }) => id));
  for (const { id, state } of account.sessions) {
    if (state === 'live' && !ids.has(id))
      throw new Violation('an acknowledged session is not listed');
    if (state === 'ended' && ids.has(id)) throw new Violation('a session that was ended is listed');
    ids.delete(id);
  }
  ids.delete(mine.id);
  if (ids.size > account.loginsUnsure)
    throw new Violation(`${ids.size} sessions that nobody started`);
}

/**
 * Not compared as texts: after a rotation of internal keys that a process learns of late, the same
 * generation may be signed by another key.
 *
 * @param {string} token
 * @returns {number}
 */
const generationOf = (token) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).gen;

/** @param {Client} client @param {Session} session @param {boolean} grace */
async function auditSession(client, session, grace) {
  const verified = await send(client, 'GET', '/verify', { token: session.access });
  const first = await send(client, 'POST', '/refresh', {
    body: { refresh_token: session.refresh },
  });
  const isLive = verified.status === 204;
  if (session.state === 'live' && !isLive)
    throw new Violation(`/verify of a live session: ${verified.status}`);
  if (session.state === 'ended' && isLive)
    throw new Violation('/verify knows nothing of an ended session');
  if (
    isLive &&
    first.status !== 200 &&
    session.refreshUnsure &&
    !grace &&
    first.body.code === 'refresh_token_reused'
  )
    return;
  if (isLive !== (first.status === 200))
    throw new Violation(
      `/verify says ${verified.status} and /refresh ${first.status} ${first.body.code ?? ''}`,
    );
  if (!isLive) return;
  const second = await send(client, 'POST', '/refresh', {
    body: { refresh_token: first.body.refresh_token },
  });
  demand(second, 200, 'refresh by the successor');
  // The parent of the live token may have its grace; any older one means theft, and no branch may
  // live on.
  const used = [...session.spent, session.refresh].filter(
    (token) => generationOf(token) !== generationOf(second.body.refresh_token),
  );
  const old = grace ? used.slice(0, -1) : used;
  if (old.length === 0) return;
  const reused = await send(client, 'POST', '/refresh', {
    body: { refresh_token: client.random.pick(old) },
  });
  demand(reused, 401, 'a spent refresh token');
  if (reused.body.code !== 'refresh_token_reused')
    throw new Violation(`reuse is told as ${reused.body.code}`);
  for (const token of [second.body.refresh_token, first.body.refresh_token, session.refresh]) {
    demand(
      await send(client, 'POST', '/refresh', { body: { refresh_token: token } }),
      401,
      'a branch of a session that reuse has ended',
    );
  }
  demand(
    await send(client, 'GET', '/verify', { token: second.body.access_token }),
    401,
    '/verify after reuse',
  );
}
