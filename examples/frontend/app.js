/**
 * The page: a view for each state, made of what the service answers. Cookie mode: no script, this
 * one included, ever sees the refresh token.
 */
import { PosternError, createClient } from '@postern/client';
import { button, element, form } from './dom.js';

const auth = createClient({ url: POSTERN_URL, cookie: true });
const at = (id) => document.getElementById(id);

// ── What is said ─────────────────────────────────────────────────────────────────────────────────

const tellError = (message) => at('error').replaceChildren(...(message === '' ? [] : [message]));
const tell = (message) => {
  tellError('');
  at('status').replaceChildren(message);
};

/** The user closed the dialog of a step-up. */
class Cancelled extends Error {}

/** What went wrong, for a person. Programs switch on `code`; `detail` is text to show. */
function explain(error) {
  if (error instanceof PosternError) {
    const { retryAfter, problem } = error;
    const later = retryAfter === undefined ? '' : ` Try again in ${waitText(retryAfter)}.`;
    return { message: `${error.message}${later}`, faults: problem.errors ?? [] };
  }
  if (error instanceof Cancelled) return { message: 'Nothing was changed.', faults: [] };
  // The browser's own errors: DOMException of passkeys, TypeError of fetch.
  if (error instanceof DOMException)
    return {
      message:
        error.name === 'NotAllowedError'
          ? 'No passkey was used. Try again, or choose another way.'
          : error.message,
      faults: [],
    };
  return { message: 'The service can’t be reached. Are you online?', faults: [] };
}
const waitText = (seconds) =>
  seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;

/** Does something, and tells what went wrong. */
async function attempt(work) {
  tell('');
  try {
    await work();
  } catch (error) {
    tellError(explain(error).message);
  }
}
const formOf = (options) => form({ explain, tell: tellError, ...options });

/** A new view: named in the title, and read from its heading on. */
function show(title, ...content) {
  document.title = `${title} – postern example`;
  tellError('');
  const heading = element('h1', { tabindex: '-1' }, title);
  at('view').replaceChildren(heading, ...content);
  heading.focus();
}

function navigation(links) {
  const list = element('ul');
  for (const [label, onClick] of links)
    list.append(element('li', {}, button(label, onClick, { class: 'plain' })));
  at('nav').replaceChildren(list);
}

// ── Fields; autocomplete as password managers and phones read it ─────────────────────────────────

const FIELDS = {
  username: {
    name: 'username',
    label: 'Username or email address',
    // Passkeys are offered with the names that the browser knows.
    autocomplete: 'username webauthn',
    autocapitalize: 'none',
    spellcheck: 'false',
  },
  password: {
    name: 'password',
    label: 'Password',
    type: 'password',
    autocomplete: 'current-password',
  },
  newPassword: {
    name: 'password',
    label: 'Password',
    type: 'password',
    autocomplete: 'new-password',
    hint: 'At least 15 characters. Several words do well.',
  },
  code: {
    name: 'code',
    label: 'Code',
    autocomplete: 'one-time-code',
    autocapitalize: 'characters',
    spellcheck: 'false',
  },
  totp: {
    name: 'totp',
    label: 'Six digits of your app',
    autocomplete: 'one-time-code',
    inputmode: 'numeric',
    maxlength: '6',
  },
  recovery: {
    name: 'recovery_code',
    label: 'Recovery code',
    autocomplete: 'off',
    autocapitalize: 'none',
    spellcheck: 'false',
  },
  email: { name: 'email', label: 'Email address', type: 'email', autocomplete: 'email' },
  phone: {
    name: 'phone',
    label: 'Mobile number',
    type: 'tel',
    autocomplete: 'tel',
    hint: 'With the country, such as +49 151 23456789.',
  },
};
const NEW_USERNAME = { ...FIELDS.username, label: 'Username', autocomplete: 'username' };
let headings = 0;
const section = (title, ...content) => {
  const id = `section-${++headings}`;
  return element('section', { 'aria-labelledby': id }, element('h2', { id }, title), ...content);
};

// ── Signed out ───────────────────────────────────────────────────────────────────────────────────

function signedOutNavigation() {
  navigation([
    ['Sign in', showSignIn],
    ['Create an account', showRegister],
    ['Forgot password', showForgot],
  ]);
}

function showSignIn() {
  signedOutNavigation();
  show(
    'Sign in',
    section(
      'With your password',
      formOf({
        fields: [FIELDS.username, FIELDS.password],
        submit: 'Sign in',
        onSubmit: async (values) => {
          try {
            await next(await auth.signIn(values));
          } catch (error) {
            if (!(error instanceof PosternError) || error.code !== 'password_change_required')
              throw error;
            const { email_sent: isSent, reset_token: token } = error.problem;
            if (isSent) showSent(error.message);
            else showReset(token, error.message);
          }
        },
      }),
    ),
    section(
      'With a passkey',
      button('Sign in with a passkey', () =>
        attempt(async () => next(await auth.signInWithPasskey())),
      ),
      ' ',
      button('I have lost my passkey', showLostPasskey, { class: 'plain' }),
    ),
    section(
      'With a code by email',
      formOf({
        fields: [FIELDS.email],
        submit: 'Send me a sign-in code',
        onSubmit: async ({ email }) => showCode({ email }, await requestCode({ email })),
      }),
    ),
    section(
      'With a code in a text message',
      formOf({
        fields: [FIELDS.phone],
        submit: 'Send me a text message',
        onSubmit: async ({ phone }) => showCode({ phone }, await requestCode({ phone })),
      }),
    ),
    ...PROVIDERS.map((provider) =>
      section(
        `With ${provider.label}`,
        button(`Continue with ${provider.label}`, () =>
          attempt(() => leaveFor(provider, 'sign-in')),
        ),
      ),
    ),
  );
  offerPasskeys();
}

/** Passkeys in the autofill of the name, until one is chosen or another passkey is used. */
function offerPasskeys() {
  auth.offerPasskeys().then(
    (answer) => answer === null || next(answer),
    (error) => tellError(explain(error).message),
  );
}

function showLostPasskey() {
  show(
    'Sign in without your passkey',
    section(
      'With a recovery code',
      formOf({
        fields: [{ ...FIELDS.username, autocomplete: 'username' }, FIELDS.recovery],
        submit: 'Use this code',
        onSubmit: async (values) => next(await auth.signInWithRecoveryCode(values)),
      }),
    ),
  );
}

// ── A code by email or text message, and a link that works where it was asked for ───────────────

/** Another tab, which the link opens, finds it here; nobody signs in with it alone. */
const ASKED = 'postern-example-otp';

async function requestCode(to) {
  const { otp_id: otpId } = await auth.requestCode(to);
  localStorage.setItem(ASKED, otpId);
  return otpId;
}

async function signedInByCode(answer) {
  localStorage.removeItem(ASKED);
  await next(answer);
}

function showCode(to, otpId) {
  const isText = to.phone !== undefined;
  const enter = async ({ code }) =>
    signedInByCode(await auth.signInWithCode({ otp_id: otpId, code }));
  show(
    isText ? 'Check your messages' : 'Check your email',
    // The same for everybody: it tells nobody who has an account.
    element('p', {}, `If ${to.phone ?? to.email} can sign in here, a code is on its way to it.`),
    section(
      isText ? 'Enter the code of the message' : 'Enter the code of the email',
      formOf({ fields: [FIELDS.code], submit: 'Sign in', onSubmit: enter }),
      button(
        'Send another code',
        () =>
          attempt(async () => {
            showCode(to, await requestCode(to));
            tell('Another code is on its way, at most one a minute.');
          }),
        { class: 'plain' },
      ),
    ),
  );
  if (isText) void readCode((code) => attempt(() => enter({ code })));
}

/** Until a code is read, or the view is another: there is one request at a time. */
let reading;

/** The browser reads the code from the message where it can, and asks its user. */
async function readCode(use) {
  reading?.abort();
  reading = new AbortController();
  const { signal } = reading;
  const code = await auth.receiveCode(signal);
  if (code !== null && !signal.aborted) await use(code);
}

/** The page that the link opens. Loading it spends nothing: only what it posts does. */
async function showSignInLink(token) {
  const otpId = localStorage.getItem(ASKED);
  const asked = otpId === null ? {} : { otp_id: otpId };
  try {
    await signedInByCode(await auth.signInWithLink({ token, ...asked }));
  } catch (error) {
    if (!(error instanceof PosternError) || error.code !== 'other_device') throw error;
    signedOutNavigation();
    show('Enter the code on your other device', element('p', {}, error.message));
  }
}

// ── Outside providers: away, and back with a code or an ID token ────────────────────────────────

const LEFT = 'postern-example-external';

/** What is needed again stays in this tab; what comes back for another one is refused. */
const remember = (left) => sessionStorage.setItem(LEFT, JSON.stringify(left));

/** With a code, or for a provider that `authorize` is known of with an ID token. */
async function leaveFor({ name, authorize, client_id }, purpose) {
  if (authorize === undefined) {
    const { url, flow } = await auth.startExternal(name);
    remember({ name, flow, purpose });
    return location.assign(url);
  }
  const nonce = await auth.externalNonce(name);
  const state = crypto.randomUUID();
  remember({ name, nonce, state, purpose });
  const asked = {
    client_id,
    response_type: 'id_token',
    scope: 'openid email profile',
    redirect_uri: `${location.origin}/`,
    nonce,
    state,
  };
  location.assign(`${authorize}?${new URLSearchParams(asked)}`);
}

/** What came back belongs to what this tab began; null if it does not. The service checks a code. */
function proofOf(left, { idToken, code, state, iss }) {
  if (code !== null)
    return left?.flow && { code, state, flow: left.flow, ...(iss === null ? {} : { iss }) };
  return left?.nonce && left.state === state && { id_token: idToken, nonce: left.nonce };
}

/** Back from a provider. */
async function showReturned(came) {
  const left = JSON.parse(sessionStorage.getItem(LEFT) ?? 'null');
  sessionStorage.removeItem(LEFT);
  if (came.error !== null) {
    await ((await auth.accessToken()) === null ? showSignIn() : showAccount());
    return tell('Nothing was done at the provider.');
  }
  const proof = proofOf(left, came);
  if (!proof) return showSignIn();
  if (left.purpose === 'sign-in') return next(await auth.signInExternally(left.name, proof));
  await showAccount();
  await change(
    () =>
      auth.call('POST /me/identities/{provider}', { params: { provider: left.name }, body: proof }),
    'The identity is linked.',
  );
}

/** Where an answer of a sign-in leads. */
async function next(answer) {
  if (answer.status === 'mfa_required') return showSecondFactor(answer);
  if (answer.status === 'verification_required') return showVerify(answer);
  if (answer.recovery_codes !== undefined) return showRecoveryCodes(answer.recovery_codes);
  await showAccount();
  if (answer.mfa_due_at !== undefined)
    tell(`Add a second factor before ${new Date(answer.mfa_due_at).toLocaleString()}.`);
}

function showSecondFactor(pending) {
  const present = async (factor) => {
    try {
      await next(await auth.presentFactor(pending, factor));
    } catch (error) {
      // The sign-in is over: five tries, or five minutes.
      if (error instanceof PosternError && error.code === 'invalid_token') {
        showSignIn();
        return tellError(error.message);
      }
      throw error;
    }
  };
  show(
    'Second factor',
    ...factorSections(pending.factors, present, async () =>
      next(await auth.presentPasskey(pending)),
    ),
  );
}

/** A section for each factor that would do. */
function factorSections(factors, present, presentPasskey, explainTo = {}) {
  const sent = element('div');
  const sentText = element('div');
  const sections = {
    totp: () =>
      section(
        'Authenticator app',
        formOf({ fields: [FIELDS.totp], submit: 'Continue', onSubmit: present, ...explainTo }),
      ),
    passkey: () => section('Passkey', button('Use a passkey', presentPasskey)),
    recovery_code: () =>
      section(
        'Recovery code',
        formOf({
          fields: [FIELDS.recovery],
          submit: 'Use this code',
          onSubmit: present,
          ...explainTo,
        }),
      ),
    email_code: () =>
      section(
        'A code by email',
        button('Send me a code', async () => {
          const { otp_id: otpId } = await auth.requestCode(shown.user.email);
          sent.replaceChildren(
            formOf({
              fields: [FIELDS.code],
              submit: 'Continue',
              onSubmit: ({ code }) => present({ email_code: { otp_id: otpId, code } }),
              ...explainTo,
            }),
          );
        }),
        sent,
      ),
    sms_code: () =>
      section(
        'A code in a text message',
        button('Send me a text message', async () => {
          const { otp_id: otpId } = await auth.requestCode({ phone: shown.user.phone });
          sentText.replaceChildren(
            formOf({
              fields: [FIELDS.code],
              submit: 'Continue',
              onSubmit: ({ code }) => present({ sms_code: { otp_id: otpId, code } }),
              ...explainTo,
            }),
          );
        }),
        sentText,
      ),
    password: () =>
      section(
        'Your password',
        formOf({ fields: [FIELDS.password], submit: 'Continue', onSubmit: present, ...explainTo }),
      ),
  };
  return factors.flatMap((factor) => (factor in sections ? [sections[factor]()] : []));
}

function showRegister() {
  signedOutNavigation();
  const register = async (values) => next(await auth.register(values));
  show(
    'Create an account',
    section(
      'With your email address',
      formOf({
        fields: [FIELDS.email, FIELDS.newPassword],
        submit: 'Send me a code',
        onSubmit: register,
      }),
    ),
    section(
      'With a username',
      formOf({
        fields: [NEW_USERNAME, FIELDS.newPassword],
        submit: 'Create the account',
        onSubmit: register,
      }),
    ),
    section(
      'With a passkey',
      formOf({
        fields: [{ ...NEW_USERNAME, label: 'Username or email address' }],
        submit: 'Create it with a passkey',
        onSubmit: async ({ username }) =>
          next(
            await auth.registerWithPasskey(
              username.includes('@') ? { email: username } : { username },
            ),
          ),
      }),
    ),
    section(
      'Without an account',
      element('p', {}, 'Begin now, and add a way to sign in later.'),
      button('Continue as a guest', () =>
        attempt(async () => next(await auth.register({ anonymous: true }))),
      ),
    ),
  );
}

function showVerify({ registration_id: registrationId }) {
  show(
    'Check your email',
    section(
      'Enter the code of the email',
      formOf({
        fields: [FIELDS.code],
        submit: 'Create the account',
        onSubmit: async ({ code }) =>
          next(await auth.verifyRegistration({ registration_id: registrationId, code })),
      }),
      button(
        'Send another code',
        () =>
          attempt(async () => {
            await auth.call('POST /register/resend', { body: { registration_id: registrationId } });
            tell('Another code is on its way, at most one a minute.');
          }),
        { class: 'plain' },
      ),
    ),
  );
}

/** The page that the email's link opens: whoever chose the password may be on another device. */
function showVerifyLink(token) {
  signedOutNavigation();
  show(
    'Create the account',
    section(
      'Enter the password that you chose',
      formOf({
        fields: [FIELDS.password],
        submit: 'Create the account',
        onSubmit: async ({ password }) => next(await auth.verifyRegistration({ token, password })),
      }),
    ),
  );
}

function showForgot() {
  signedOutNavigation();
  show(
    'Forgot password',
    section(
      'Ask for a link',
      formOf({
        fields: [FIELDS.username],
        submit: 'Send me a link',
        onSubmit: async (body) => {
          await auth.call('POST /password/forgot', { body });
          // The same for everybody: it tells nobody who has an account.
          showSent('If there is an account with a verified address, a link is on its way to it.');
        },
      }),
    ),
  );
}

function showSent(message) {
  show('Check your email', element('p', {}, message));
}

function showReset(token, reason) {
  signedOutNavigation();
  show(
    'Choose a new password',
    ...(reason === undefined ? [] : [element('p', {}, reason)]),
    section(
      'New password',
      formOf({
        fields: [FIELDS.newPassword],
        submit: 'Set the password',
        onSubmit: async ({ password }) => {
          await auth.call('POST /password/reset', { body: { token, password } });
          showSignIn();
          tell('The password is set. Sign in with it.');
        },
      }),
    ),
  );
}

// ── Signed in ────────────────────────────────────────────────────────────────────────────────────

/** Calls that change how one signs in want a recent authentication: ask, then repeat the call. */
async function withStepUp(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PosternError) || error.code !== 'insufficient_user_authentication')
      throw error;
    if (!(await stepUp(error.problem.factors ?? ownFactors()))) throw new Cancelled();
    return work();
  }
}

/** What the account that is shown signs in with, when no second factor is asked for. */
function ownFactors() {
  const { user, passkeys } = shown;
  return [
    'password',
    ...(passkeys.length > 0 ? ['passkey'] : []),
    ...(user.email_verified ? ['email_code'] : []),
    ...(user.phone_verified ? ['sms_code'] : []),
  ];
}

/** Whether the user presented a factor again. */
function stepUp(factors) {
  const dialog = at('step-up');
  const tellThere = (message) =>
    at('step-up-error').replaceChildren(...(message === '' ? [] : [message]));
  tellThere('');
  return new Promise((resolve) => {
    let isDone = false;
    const done = () => {
      isDone = true;
      dialog.close();
    };
    const present = async (factor) => {
      await auth.reauthenticate(factor);
      done();
    };
    const presentPasskey = async () => {
      try {
        await auth.reauthenticateWithPasskey();
        done();
      } catch (error) {
        tellThere(explain(error).message);
      }
    };
    at('step-up-view').replaceChildren(
      ...factorSections(factors, present, presentPasskey, { tell: tellThere }),
      button('Cancel', () => dialog.close(), { class: 'plain' }),
    );
    dialog.addEventListener('close', () => resolve(isDone), { once: true });
    dialog.showModal();
  });
}

/** A change: with a step-up if it needs one; then the account as it is now. */
async function change(work, done) {
  await withStepUp(work);
  await showAccount();
  tell(done);
}
const changing = (work, done) => () => attempt(() => change(work, done));

/** The account as it was last shown. */
let shown = { user: { email_verified: false, phone_verified: false }, passkeys: [] };

async function showAccount() {
  const [user, factors, { sessions }, { identities }] = await Promise.all([
    auth.me(),
    auth.call('GET /me/factors'),
    auth.call('GET /me/sessions'),
    PROVIDERS.length > 0 ? auth.call('GET /me/identities') : { identities: [] },
  ]);
  shown = { user, passkeys: factors.passkeys };
  navigation([
    ['Account', () => attempt(showAccount)],
    ['Sign out', signOut],
  ]);
  show(
    `Signed in as ${user.display_name ?? user.username ?? user.email ?? user.phone ?? 'a guest'}`,
    ...(user.anonymous ? [guestNote()] : []),
    profileSection(user),
    emailSection(user),
    phoneSection(user),
    appSection(factors),
    passkeySection(factors),
    ...(PROVIDERS.length > 0 ? [identitySection(identities)] : []),
    passwordSection(user),
    sessionSection(sessions),
    deleteSection(),
  );
}

const guestNote = () =>
  element(
    'p',
    { class: 'note' },
    'Nobody can sign in to this account yet: it is lost when you sign out. Add a passkey, an email address, or a username and a password.',
  );

function profileSection(user) {
  return section(
    'Profile',
    formOf({
      fields: [
        {
          name: 'display_name',
          label: 'Name',
          autocomplete: 'name',
          value: user.display_name ?? '',
        },
      ],
      submit: 'Save the name',
      onSubmit: (body) => change(() => auth.call('PATCH /me', { body }), 'The name is saved.'),
    }),
    ...(user.username === null
      ? [
          formOf({
            fields: [NEW_USERNAME],
            submit: 'Choose the username',
            onSubmit: (body) =>
              change(() => auth.call('PATCH /me', { body }), 'The username is chosen.'),
          }),
        ]
      : []),
  );
}

function emailSection(user) {
  const { email, email_verified: isVerified, pending_email: pending } = user;
  return section(
    'Email address',
    element('p', {}, isVerified ? `${email} (verified)` : 'No verified address yet.'),
    ...(pending === null
      ? []
      : [
          formOf({
            fields: [{ ...FIELDS.code, label: `Code that was sent to ${pending}` }],
            submit: 'Verify the address',
            onSubmit: (body) =>
              change(() => auth.call('POST /email/verify', { body }), 'The address is verified.'),
          }),
        ]),
    formOf({
      fields: [{ ...FIELDS.email, label: 'New email address' }],
      submit: 'Change the address',
      onSubmit: (body) =>
        change(
          () => auth.call('PATCH /me', { body }),
          'Enter the code that was sent to the new address.',
        ),
    }),
  );
}

/** What the last code of this tab belongs to. */
let phoneOtpId = null;

function phoneSection({ phone, phone_verified: isVerified }) {
  const verify = (body) =>
    change(() => auth.verifyPhone({ otp_id: phoneOtpId, ...body }), 'The number is verified.');
  if (phone !== null && !isVerified && phoneOtpId !== null)
    void readCode((code) => attempt(() => verify({ code })));
  return section(
    'Telephone number',
    element('p', {}, isVerified ? `${phone} (verified)` : 'No verified number yet.'),
    ...(phone === null || isVerified || phoneOtpId === null
      ? []
      : [
          formOf({
            fields: [{ ...FIELDS.code, label: `Code that was sent to ${phone}` }],
            submit: 'Verify the number',
            onSubmit: verify,
          }),
        ]),
    formOf({
      fields: [{ ...FIELDS.phone, label: 'New mobile number' }],
      submit: 'Save the number',
      onSubmit: (body) =>
        change(async () => {
          phoneOtpId = (await auth.setPhone(body.phone)).otp_id;
        }, 'Enter the code that was sent to the number.'),
    }),
    ...(phone === null
      ? []
      : [
          button(
            'Remove the number',
            changing(() => auth.removePhone(), 'The number is removed.'),
          ),
        ]),
  );
}

function appSection({ totp, recovery_codes_left: left }) {
  const isOn = totp !== null;
  return section(
    'Authenticator app',
    element('p', {}, isOn ? `On. ${left} recovery codes left.` : 'Off.'),
    button(isOn ? 'Set up another app' : 'Set up an app', () =>
      attempt(async () => {
        showEnrolment(await withStepUp(() => auth.call('POST /me/totp')));
      }),
    ),
    ...(isOn
      ? [
          ' ',
          button(
            'New recovery codes',
            () =>
              attempt(async () => {
                const made = await withStepUp(() => auth.call('POST /me/recovery-codes'));
                showRecoveryCodes(made.recovery_codes);
              }),
            { class: 'plain' },
          ),
          ' ',
          button(
            'Remove the app',
            changing(() => auth.call('DELETE /me/totp'), 'The app is removed.'),
            { class: 'plain' },
          ),
        ]
      : []),
  );
}

function showEnrolment({ secret, otpauth_uri: uri }) {
  show(
    'Set up an authenticator app',
    section(
      'Add this key to your app',
      element('p', {}, element('a', { href: uri }, 'Open your authenticator app')),
      element('p', {}, 'Or enter this key: ', element('code', { id: 'totp-secret' }, secret)),
      formOf({
        fields: [{ ...FIELDS.totp, name: 'code' }],
        submit: 'Confirm',
        onSubmit: async (body) => {
          const done = await withStepUp(() => auth.call('POST /me/totp/confirm', { body }));
          showRecoveryCodes(done.recovery_codes);
        },
      }),
    ),
  );
}

function showRecoveryCodes(codes) {
  show(
    'Your recovery codes',
    element(
      'p',
      {},
      'Keep them where you keep important papers: each replaces your second factor once. They are shown only now.',
    ),
    element('ol', { class: 'codes' }, ...codes.map((code) => element('li', {}, code))),
    button('I have kept them', () => attempt(showAccount)),
  );
}

function passkeySection({ passkeys }) {
  return section(
    'Passkeys',
    element(
      'ul',
      { class: 'rows' },
      ...passkeys.map(({ id, name }) =>
        element(
          'li',
          { class: 'row' },
          element('p', {}, name),
          button(
            `Remove`,
            changing(
              () => auth.call('DELETE /me/passkeys/{id}', { params: { id } }),
              'The passkey is removed.',
            ),
            { class: 'plain', 'aria-label': `Remove the passkey ${name}` },
          ),
        ),
      ),
    ),
    formOf({
      fields: [
        {
          name: 'name',
          label: 'Name of the new passkey',
          autocomplete: 'off',
          value: 'This device',
        },
      ],
      submit: 'Add a passkey',
      onSubmit: ({ name }) => change(() => auth.addPasskey(name), 'The passkey is added.'),
    }),
  );
}

function identitySection(identities) {
  const linked = new Set(identities.map(({ provider }) => provider));
  return section(
    'Outside identities',
    element(
      'ul',
      { class: 'rows' },
      ...identities.map(({ provider, email }) =>
        element(
          'li',
          { class: 'row' },
          element('p', {}, email === null ? provider : `${provider} (${email})`),
          button(
            'Unlink',
            changing(
              () => auth.call('DELETE /me/identities/{provider}', { params: { provider } }),
              'The identity is unlinked.',
            ),
            { class: 'plain', 'aria-label': `Unlink ${provider}` },
          ),
        ),
      ),
    ),
    ...PROVIDERS.filter(({ name }) => !linked.has(name)).map((provider) =>
      button(`Link ${provider.label}`, () => attempt(() => leaveFor(provider, 'link'))),
    ),
  );
}

function passwordSection(user) {
  return section(
    'Password',
    formOf({
      fields: [
        {
          ...FIELDS.password,
          name: 'current_password',
          label: 'Current password',
          required: false,
          hint: 'Leave it empty if the account has none.',
        },
        { ...FIELDS.newPassword, name: 'new_password', label: 'New password' },
      ],
      submit: 'Change the password',
      onSubmit: ({ current_password: current, new_password }) => {
        const body = { new_password, ...(current === '' ? {} : { current_password: current }) };
        return change(
          () => auth.call('POST /me/password', { body }),
          'The password is changed; other devices are signed out.',
        );
      },
      // So that password managers know whose password it is.
      more: [
        element('input', {
          type: 'text',
          name: 'username',
          value: user.username ?? user.email ?? '',
          autocomplete: 'username',
          hidden: true,
          'aria-hidden': 'true',
          tabindex: '-1',
        }),
      ],
    }),
  );
}

function sessionSection(sessions) {
  return section(
    'Sessions',
    element(
      'ul',
      { class: 'rows' },
      ...sessions.map(({ id, user_agent: agent, ip, last_used_at: used, current }) => {
        const what = `${agentText(agent)}, ${ip ?? 'address unknown'}, ${new Date(used).toLocaleString()}`;
        return element(
          'li',
          { class: 'row' },
          element('p', {}, current ? `${what} (this one)` : what),
          ...(current
            ? []
            : [
                button(
                  'End',
                  changing(
                    () => auth.call('DELETE /me/sessions/{id}', { params: { id } }),
                    'The session is ended.',
                  ),
                  { class: 'plain', 'aria-label': `End the session ${what}` },
                ),
              ]),
        );
      }),
    ),
    button('Sign out everywhere', () => attempt(() => auth.call('POST /logout/all'))),
  );
}
const agentText = (agent) =>
  (/(Firefox|Edg|Chrome|Safari|curl)/.exec(agent ?? '')?.[1] ?? 'Unknown program').replace(
    'Edg',
    'Edge',
  );

function deleteSection() {
  return section(
    'Delete the account',
    button('Delete my account', () =>
      attempt(async () => {
        if (confirm('Delete the account and everything in it?'))
          await withStepUp(() => auth.call('DELETE /me'));
      }),
    ),
  );
}

const signOut = () => attempt(() => auth.signOut());

// ── The beginning ────────────────────────────────────────────────────────────────────────────────

let wasSignedIn = false;
auth.onChange((session) => {
  // Signed out here or in another tab, or ended elsewhere.
  if (session === null && wasSignedIn) {
    showSignIn();
    tell('You are signed out.');
  }
  wasSignedIn = session !== null;
});

/** What links and providers add is taken out of the address, so that it stays in no history. */
function takeAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const query = new URLSearchParams(location.search);
  if (location.hash !== '' || location.search !== '') history.replaceState(null, '', '/');
  return {
    token: fragment.get('token'),
    idToken: fragment.get('id_token'),
    code: query.get('code'),
    error: query.get('error') ?? fragment.get('error'),
    state: query.get('state') ?? fragment.get('state'),
    iss: query.get('iss'),
  };
}

async function start() {
  const page = location.pathname;
  const { token, ...came } = takeAddress();
  if (came.idToken !== null || came.code !== null || came.error !== null) return showReturned(came);
  if (token !== null && page === '/sign-in') return showSignInLink(token);
  if (token !== null && page === '/verify') return showVerifyLink(token);
  if (token !== null && page === '/reset') {
    await auth.call('POST /password/reset/check', { body: { token } });
    return showReset(token);
  }
  return (await auth.accessToken()) === null ? showSignIn() : showAccount();
}
start().catch(async (error) => {
  const isSignedIn = (await auth.accessToken().catch(() => null)) !== null;
  await (isSignedIn ? showAccount() : showSignIn());
  tellError(explain(error).message);
});
