/**
 * Keratin AuthN: `psql "$DATABASE_URL" -At -c "SELECT row_to_json(a) FROM accounts a" | node
 * keratin.mjs`. The external_id is the account's id, which your application keeps. Its addresses are
 * usernames that nobody verified: with VERIFIED=1 in the environment you vouch for them. Seeds of
 * authenticator apps are encrypted under its own key, and do not come along.
 */
import {
  addressOf,
  leaveOut,
  readExport,
  recordsOf,
  timeOf,
  usernameOf,
  writeLine,
} from './lines.mjs';

const isVouched = process.env['VERIFIED'] === '1';
for (const account of recordsOf(readExport())) {
  if (account.deleted_at) continue;
  const id = String(account.id);
  if (account.totp_secret) leaveOut(id, 'the seed of its authenticator app');
  const isAddress = account.username.includes('@');
  writeLine({
    external_id: id,
    username: usernameOf(id, account.username),
    ...addressOf(isAddress ? account.username : undefined, isVouched),
    disabled: account.locked ? true : undefined,
    password_change_required: account.require_new_password ? true : undefined,
    created_at: timeOf(account.created_at),
    updated_at: timeOf(account.updated_at),
    password_hash: account.password,
  });
}
