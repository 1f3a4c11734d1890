/**
 * PocketBase: `sqlite3 -json pb_data/data.db "SELECT * FROM users" | node pocketbase.mjs`. Versions
 * before 0.23 call the column passwordHash.
 */
import { addressOf, readExport, recordsOf, timeOf, usernameOf, writeLine } from './lines.mjs';

for (const user of recordsOf(readExport())) {
  writeLine({
    external_id: user.id,
    username: usernameOf(user.id, user.username),
    ...addressOf(user.email, user.verified),
    display_name: user.name,
    created_at: timeOf(user.created),
    updated_at: timeOf(user.updated),
    password_hash: user.password ?? user.passwordHash,
  });
}
