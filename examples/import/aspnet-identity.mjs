/**
 * ASP.NET Identity: the rows of AspNetUsers as JSON, such as of `SELECT * FROM AspNetUsers FOR JSON
 * PATH` (SQL Server): `node aspnet-identity.mjs users.json`. Passwords of both formats: version 2
 * (PBKDF2 with 1,000 iterations) is wrapped at the import, version 3 is taken as it is.
 */
import { addressOf, leaveOut, readExport, recordsOf, usernameOf, writeLine } from './lines.mjs';

const PRF = ['sha1', 'sha256', 'sha512'];

/**
 * @param {string} id
 * @param {string} text
 */
function hashOf(id, text) {
  const bytes = Buffer.from(text, 'base64');
  /** @type {(digest: string, iterations: number, at: number, saltLength: number) => string} */
  const spelled = (digest, iterations, at, saltLength) => {
    const salt = bytes.subarray(at, at + saltLength).toString('base64');
    return `$pbkdf2-${digest}$i=${iterations}$${salt}$${bytes.subarray(at + saltLength).toString('base64')}`;
  };
  if (bytes[0] === 0 && bytes.length === 49) return spelled('sha1', 1_000, 1, 16);
  if (bytes[0] === 1 && bytes.length > 29) {
    const digest = PRF[bytes.readUInt32BE(1)];
    if (digest !== undefined)
      return spelled(digest, bytes.readUInt32BE(5), 13, bytes.readUInt32BE(9));
  }
  leaveOut(id, 'its password has another format');
  return undefined;
}

for (const user of recordsOf(readExport())) {
  const { Id: id } = user;
  const isLockedOut = user.LockoutEnabled && Date.parse(user.LockoutEnd ?? '') > Date.now();
  if (user.TwoFactorEnabled) leaveOut(id, 'the seed of its authenticator app, in AspNetUserTokens');
  writeLine({
    external_id: String(id),
    username: usernameOf(id, user.UserName),
    ...addressOf(user.Email, Boolean(user.EmailConfirmed)),
    disabled: isLockedOut ? true : undefined,
    password_hash: user.PasswordHash ? hashOf(id, user.PasswordHash) : undefined,
  });
}
