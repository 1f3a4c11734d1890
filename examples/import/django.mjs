/**
 * Django: `python manage.py dumpdata auth.user --format json | node django.mjs`. Passwords:
 * pbkdf2_sha256, pbkdf2_sha1, argon2, scrypt, bcrypt; bcrypt_sha256 is bcrypt of another hash, and
 * does not come along. Django verifies no address by itself: with VERIFIED=1 in the environment you
 * vouch for them.
 */
import {
  addressOf,
  base64,
  leaveOut,
  readExport,
  recordsOf,
  timeOf,
  usernameOf,
  writeLine,
} from './lines.mjs';

/**
 * @param {string} id
 * @param {string} password
 */
function hashOf(id, password) {
  const [algorithm = '', ...parts] = password.split('$');
  const [first = '', second = '', third = '', fourth = '', fifth = ''] = parts;
  switch (algorithm) {
    case 'pbkdf2_sha256':
    case 'pbkdf2_sha1':
      // The salt is a text.
      return `$pbkdf2-${algorithm.slice(7)}$i=${first}$${base64(second)}$${third}`;
    case 'argon2':
      return `$${parts.join('$')}`;
    case 'scrypt':
      return `$scrypt$ln=${first},r=${third},p=${fourth}$${base64(second)}$${fifth}`;
    case 'bcrypt':
      return parts.slice(parts.indexOf('') + 1).length > 0
        ? `$${parts.slice(1).join('$')}`
        : undefined;
    default:
      // An unusable password begins with an exclamation mark.
      if (!password.startsWith('!') && password !== '')
        leaveOut(id, `its password is hashed by ${algorithm}`);
      return undefined;
  }
}

const isVouched = process.env['VERIFIED'] === '1';
for (const { pk, fields } of recordsOf(readExport())) {
  const id = String(pk);
  writeLine({
    external_id: id,
    username: usernameOf(id, fields.username),
    ...addressOf(fields.email, isVouched),
    display_name: [fields.first_name, fields.last_name].filter(Boolean).join(' '),
    claims: fields.is_superuser ? { roles: ['superuser'] } : undefined,
    disabled: fields.is_active === false ? true : undefined,
    created_at: timeOf(fields.date_joined),
    password_hash: hashOf(id, fields.password ?? ''),
  });
}
