/**
 * Auth0: `node auth0.mjs users.json passwords.json`. The first is a bulk export of users (NDJSON), the
 * second the export of password hashes that its support sends on request; each names a user by the
 * same id. Users of social connections come without a password.
 */
import { readFileSync } from 'node:fs';
import { addressOf, readExport, recordsOf, timeOf, usernameOf, writeLine } from './lines.mjs';

const [, , , passwordFile] = process.argv;
const hashes = new Map(
  (passwordFile === undefined ? [] : recordsOf(readFileSync(passwordFile, 'utf8'))).map((one) => [
    `auth0|${one._id.$oid}`,
    one.passwordHash,
  ]),
);
for (const user of recordsOf(readExport())) {
  const id = user.user_id ?? user.Id;
  writeLine({
    external_id: id,
    username: usernameOf(id, user.username),
    ...addressOf(user.email ?? user.Email, user.email_verified ?? user['Email Verified']),
    display_name: user.name?.includes('@') ? undefined : user.name,
    user_metadata: user.user_metadata,
    claims: user.app_metadata?.roles ? { roles: user.app_metadata.roles } : undefined,
    disabled: user.blocked === true ? true : undefined,
    created_at: timeOf(user.created_at),
    password_hash: hashes.get(id),
  });
}
