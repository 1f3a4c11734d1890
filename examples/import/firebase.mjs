/**
 * Firebase Authentication: `firebase auth:export users.json --format json`, then with the parameters
 * of the console (Authentication, Users, ⋮, Password hash parameters) in the environment:
 * `SIGNER_KEY=… SALT_SEPARATOR=Bw== ROUNDS=8 MEM_COST=14 node firebase.mjs users.json`.
 */
import { addressOf, leaveOut, readExport, timeOf, writeLine } from './lines.mjs';

const { SIGNER_KEY, SALT_SEPARATOR = 'Bw==', ROUNDS = '8', MEM_COST = '14' } = process.env;
if (SIGNER_KEY === undefined) throw new Error('SIGNER_KEY is not set: see the head of this file');

/** Its base64 may be of either alphabet. @param {string} text */
const plain = (text) => Buffer.from(text, 'base64').toString('base64');

for (const user of JSON.parse(readExport()).users ?? []) {
  const { localId: id, salt = '', passwordHash, email, phoneNumber: phone } = user;
  if (!email && !phone) {
    leaveOut(id, 'the user: it has neither an address nor a number');
    continue;
  }
  const parameters = `ln=${MEM_COST},r=${ROUNDS},p=1`;
  writeLine({
    external_id: id,
    ...(email ? addressOf(email, user.emailVerified) : {}),
    phone,
    display_name: user.displayName,
    disabled: user.disabled ? true : undefined,
    created_at: timeOf(Number(user.createdAt)),
    password_hash: passwordHash
      ? `$firescrypt$${parameters}$${plain(salt)}$${plain(passwordHash)}$${plain(SALT_SEPARATOR)}$${plain(SIGNER_KEY)}`
      : undefined,
  });
}
