/**
 * Keycloak: `node keycloak.mjs realm-users-0.json`, of `kc.sh export --dir DIR --realm REALM --users
 * different_files`, or a realm in one file. Passwords: pbkdf2, pbkdf2-sha256, pbkdf2-sha512, argon2.
 * Authenticator apps with SHA-1, six digits and 30 seconds; its passkeys lack whether they are backed
 * up, and do not come along.
 */
import {
  addressOf,
  base32,
  leaveOut,
  readExport,
  timeOf,
  usernameOf,
  writeLine,
} from './lines.mjs';

/** @type {Record<string, string>} */
const PBKDF2 = { pbkdf2: 'sha1', 'pbkdf2-sha256': 'sha256', 'pbkdf2-sha512': 'sha512' };

/** @param {string} text */
const bare = (text) => text.replace(/=+$/, '');

/**
 * @param {string} id
 * @param {any} credential
 */
function passwordOf(id, credential) {
  const {
    algorithm,
    hashIterations,
    additionalParameters = {},
  } = JSON.parse(credential.credentialData);
  const { value, salt } = JSON.parse(credential.secretData);
  const digest = PBKDF2[algorithm];
  if (digest !== undefined) return `$pbkdf2-${digest}$i=${hashIterations}$${salt}$${value}`;
  if (algorithm === 'argon2') {
    const [kind = 'id'] = additionalParameters.type ?? [];
    const [memory] = additionalParameters.memory ?? [];
    const [lanes] = additionalParameters.parallelism ?? [];
    return `$argon2${kind}$v=19$m=${memory},t=${hashIterations},p=${lanes}$${bare(salt)}$${bare(value)}`;
  }
  leaveOut(id, `its password is hashed by ${algorithm}`);
  return undefined;
}

/**
 * @param {string} id
 * @param {any} credential
 */
function seedOf(id, credential) {
  const { subType, digits, period, algorithm, secretEncoding } = JSON.parse(
    credential.credentialData,
  );
  const isUsual = digits === 6 && period === 30 && algorithm === 'HmacSHA1';
  const { value } = JSON.parse(credential.secretData);
  // The secret is its letters themselves, unless it says that they are base 32.
  if (subType === 'totp' && isUsual)
    return secretEncoding === 'BASE32' ? value : base32(Buffer.from(value, 'utf8'));
  leaveOut(id, 'its authenticator app counts, or has other digits, period or hash');
  return undefined;
}

const { users = [] } = JSON.parse(readExport());
for (const user of users) {
  const { id, credentials = [] } = user;
  if (user.serviceAccountClientId !== undefined) continue;
  /** @param {string} type */
  const first = (type) => credentials.find((/** @type {any} */ one) => one.type === type);
  const password = first('password');
  const otp = first('otp');
  if (credentials.some((/** @type {any} */ one) => one.type.startsWith('webauthn')))
    leaveOut(id, 'its passkeys');
  writeLine({
    external_id: id,
    username: usernameOf(id, user.username),
    ...addressOf(user.email, user.emailVerified),
    display_name: [user.firstName, user.lastName].filter(Boolean).join(' '),
    disabled: user.enabled === false ? true : undefined,
    password_change_required: user.requiredActions?.includes('UPDATE_PASSWORD') || undefined,
    claims: user.realmRoles?.length > 0 ? { roles: user.realmRoles } : undefined,
    created_at: timeOf(user.createdTimestamp),
    password_hash: password === undefined ? undefined : passwordOf(id, password),
    totp_secret: otp === undefined ? undefined : seedOf(id, otp),
  });
}
