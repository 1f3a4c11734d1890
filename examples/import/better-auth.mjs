/**
 * Better Auth: `node better-auth.mjs rows.json`, an object with the rows of its tables user, account
 * and, if you have it, passkey. Seeds of two-factor apps are encrypted under its own secret, and do
 * not come along. It hashes passwords after NFKC, and here they are compared after NFC: letters that
 * differ by that alone need a reset.
 */
import {
  addressOf,
  base64,
  leaveOut,
  readExport,
  timeOf,
  usernameOf,
  writeLine,
} from './lines.mjs';

/** scrypt with N=16384, r=16, p=1; the salt is its hexadecimal digits themselves. */
function hashOf(/** @type {string} */ password) {
  const [salt = '', key = ''] = password.split(':');
  return `$scrypt$ln=16384,r=16,p=1$${base64(salt)}$${Buffer.from(key, 'hex').toString('base64')}`;
}

/** @param {any} passkey */
function passkeyOf(passkey) {
  return {
    credential_id: passkey.credentialID,
    public_key: Buffer.from(passkey.publicKey, 'base64').toString('base64url'),
    sign_count: passkey.counter,
    transports: (passkey.transports ?? '').split(',').filter(Boolean),
    ...(passkey.name ? { name: passkey.name } : {}),
    ...(passkey.aaguid ? { aaguid: passkey.aaguid } : {}),
    // It makes a random handle for each passkey and keeps none: these sign in after a name only.
    backup_eligible: passkey.deviceType === 'multiDevice',
    backed_up: Boolean(passkey.backedUp),
  };
}

const {
  user: users = [],
  account: accounts = [],
  passkey: passkeys = [],
} = JSON.parse(readExport());
for (const user of users) {
  const { id } = user;
  const credential = accounts.find(
    (/** @type {any} */ one) => one.userId === id && one.providerId === 'credential',
  );
  const own = passkeys.filter((/** @type {any} */ one) => one.userId === id);
  if (user.twoFactorEnabled) leaveOut(id, 'the seed of its authenticator app');
  writeLine({
    external_id: id,
    username: usernameOf(id, user.displayUsername ?? user.username),
    ...addressOf(user.email, Boolean(user.emailVerified)),
    display_name: user.name,
    claims: user.role ? { roles: user.role.split(',') } : undefined,
    disabled: user.banned ? true : undefined,
    created_at: timeOf(user.createdAt),
    updated_at: timeOf(user.updatedAt),
    password_hash: credential?.password ? hashOf(credential.password) : undefined,
    passkeys: own.length > 0 ? own.map(passkeyOf) : undefined,
  });
}
