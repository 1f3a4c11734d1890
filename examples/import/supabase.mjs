/**
 * Supabase Auth: `psql "$DATABASE_URL" -At -c "SELECT row_to_json(u) FROM (SELECT u.*, (SELECT
 * json_agg(f) FROM auth.mfa_factors f WHERE f.user_id = u.id) AS factors FROM auth.users u) u" | node
 * supabase.mjs`. Ids stay, so that the rows of your tables still name their users.
 */
import { addressOf, leaveOut, readExport, recordsOf, timeOf, writeLine } from './lines.mjs';

for (const user of recordsOf(readExport())) {
  const { id, raw_user_meta_data: meta } = user;
  if (user.deleted_at || user.is_anonymous) continue;
  const phone = user.phone && user.phone_confirmed_at ? `+${user.phone}` : undefined;
  if (!user.email && phone === undefined) {
    leaveOut(id, 'the user: it has neither an address nor a verified number');
    continue;
  }
  const isBanned = user.banned_until && Date.parse(user.banned_until) > Date.now();
  const totp = (user.factors ?? []).find(
    (/** @type {any} */ factor) => factor.factor_type === 'totp' && factor.status === 'verified',
  );
  writeLine({
    id,
    external_id: id,
    ...(user.email ? addressOf(user.email, Boolean(user.email_confirmed_at)) : {}),
    phone,
    display_name: meta?.full_name ?? meta?.name,
    user_metadata: meta,
    disabled: isBanned ? true : undefined,
    created_at: timeOf(user.created_at),
    updated_at: timeOf(user.updated_at),
    password_hash: user.encrypted_password,
    totp_secret: totp?.secret,
  });
}
