/**
 * The tables that the core owns. Times are integer milliseconds, secrets are hashes or sealed,
 * canonical names are UNIQUE from the first migration on. These are storage shapes and never API
 * shapes.
 */
import { sql } from 'drizzle-orm';
import {
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';

export type JsonObject = { [key: string]: unknown };

export const user = sqliteTable(
  'user',
  {
    id: text().primaryKey(),
    username: text(),
    /** NFKC, case-folded: what makes two names one (core/identifier). */
    usernameCanonical: text('username_canonical'),
    /**
     * The proved address. An address nobody proved stands in pending_email, where it reserves
     * nothing (G10).
     */
    email: text(),
    emailCanonical: text('email_canonical'),
    pendingEmail: text('pending_email'),
    pendingEmailCanonical: text('pending_email_canonical'),
    displayName: text('display_name'),
    userMetadata: text('user_metadata', { mode: 'json' }).$type<JsonObject>().notNull().default({}),
    /** What an administrator adds to the user's access tokens. */
    claims: text({ mode: 'json' }).$type<JsonObject>().notNull().default({}),
    /**
     * Moves with every change that must void what was begun before it: password, factors,
     * disabling.
     */
    epoch: integer().notNull().default(0),
    disabledAt: integer('disabled_at'),
    /** When it was demanded that the password be changed; null when it is as good as any. */
    passwordChangeRequiredAt: integer('password_change_required_at'),
    /** Under a policy that asks everybody for a second factor: until when one may do without. */
    mfaDueAt: integer('mfa_due_at'),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [
    uniqueIndex('user_username_canonical').on(table.usernameCanonical),
    uniqueIndex('user_email_canonical').on(table.emailCanonical),
  ],
);

export const passwordCredential = sqliteTable('password_credential', {
  userId: text('user_id')
    .primaryKey()
    .references(() => user.id, { onDelete: 'cascade' }),
  passwordHash: text('password_hash').notNull(),
  /**
   * How the text was normalised before hashing (N2), so that a later change of rule can tell old
   * from new.
   */
  normalization: text().notNull().default('NFC'),
  changedAt: integer('changed_at').notNull(),
});

/** Former password hashes, as many as `password.history` asks for. */
export const passwordHistory = sqliteTable(
  'password_history',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    passwordHash: text('password_hash').notNull(),
    replacedAt: integer('replaced_at').notNull(),
  },
  (table) => [index('password_history_user').on(table.userId, table.id)],
);

export const session = sqliteTable(
  'session',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    /**
     * The generation of the one live refresh token; rotation is one conditional statement on it.
     */
    generation: integer().notNull().default(0),
    rotatedAt: integer('rotated_at').notNull(),
    authTime: integer('auth_time').notNull(),
    amr: text({ mode: 'json' }).$type<string[]>().notNull(),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    endedAt: integer('ended_at'),
    endReason: text('end_reason'),
    ip: text(),
    userAgent: text('user_agent'),
  },
  (table) => [
    index('session_live_by_user').on(table.userId, table.createdAt).where(sql`ended_at IS NULL`),
    index('session_expires_at').on(table.expiresAt),
  ],
);

/**
 * Ended sessions for as long as an access token of theirs could live. Other processes read on from
 * the last `seq` they saw.
 */
export const revocation = sqliteTable(
  'revocation',
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    sessionId: text('session_id').notNull(),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('revocation_expires_at').on(table.expiresAt)],
);

export const throttle = sqliteTable(
  'throttle',
  {
    /** Which bucket: purpose and account (or a keyed hash of an unknown name). */
    key: text().primaryKey(),
    /** Consecutive failures; only a success resets it (N5). */
    failures: integer().notNull(),
    /** Failures in the window, draining with time. */
    recent: real().notNull(),
    lastAt: integer('last_at').notNull(),
    blockedUntil: integer('blocked_until').notNull(),
  },
  (table) => [index('throttle_last_at').on(table.lastAt)],
);

/**
 * Signing keys of two purposes: `access` (published in the JWKS) and `internal` (HS256, in no
 * JWKS). The generation is UNIQUE within purpose and algorithm, so that of two instances that make
 * the next key one wins.
 */
export const signingKey = sqliteTable(
  'signing_key',
  {
    kid: text().primaryKey(),
    purpose: text({ enum: ['access', 'internal'] }).notNull(),
    algorithm: text().notNull(),
    generation: integer().notNull(),
    publicJwk: text('public_jwk', { mode: 'json' }).$type<JsonObject>(),
    privateSealed: text('private_sealed').notNull(),
    createdAt: integer('created_at').notNull(),
    /** From when on it signs; before that it is published ahead of its use. */
    activatesAt: integer('activates_at').notNull(),
    /** Set when it must not be trusted any more whatever its tokens say. */
    withdrawnAt: integer('withdrawn_at'),
  },
  (table) => [
    uniqueIndex('signing_key_generation').on(table.purpose, table.algorithm, table.generation),
  ],
);

/**
 * One-time things: codes and links, of every purpose. Spent is a state and not a time, so that a
 * clock set back revives nothing (G11); secrets are hashes only.
 */
export const oneTime = sqliteTable(
  'one_time',
  {
    id: text().primaryKey(),
    purpose: text({ enum: ['registration', 'email_verification', 'password_reset'] }).notNull(),
    /** Whose; null while there is no account yet. */
    userId: text('user_id').references(() => user.id, { onDelete: 'cascade' }),
    /** The canonical address that it proves. */
    subject: text(),
    /** SHA-256 of the link's token (256 random bits). */
    tokenHash: text('token_hash'),
    /** A password hash of the typed code (ASVS 6.5.2). */
    codeHash: text('code_hash'),
    attempts: integer().notNull().default(0),
    /** What the purpose needs later, sealed. */
    payloadSealed: text('payload_sealed'),
    createdAt: integer('created_at').notNull(),
    /** The code's end; the link lives until expires_at. */
    codeExpiresAt: integer('code_expires_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    spentAt: integer('spent_at'),
  },
  (table) => [
    uniqueIndex('one_time_token_hash').on(table.tokenHash),
    index('one_time_user').on(table.userId, table.purpose),
    index('one_time_expires_at').on(table.expiresAt),
  ],
);

/**
 * Letters that are to go out, written in the commit that they speak of. The content is sealed, for
 * it carries codes and links.
 */
export const outbox = sqliteTable(
  'outbox',
  {
    id: text().primaryKey(),
    letter: text().notNull(),
    /**
     * What shares an interval: the same group for the letters that answer one kind of request,
     * whatever they say.
     */
    limitGroup: text('limit_group').notNull().default(''),
    /** The address as it was typed: mail always goes there (G2). */
    recipient: text().notNull(),
    /** A keyed hash of the canonical address, for the limits. */
    recipientKey: text('recipient_key').notNull(),
    payloadSealed: text('payload_sealed'),
    /** `void`: counted against the limits and never sent, for an address that nobody has. */
    state: text({ enum: ['pending', 'sent', 'dead', 'expired', 'void'] }).notNull(),
    attempts: integer().notNull().default(0),
    nextAt: integer('next_at').notNull(),
    leasedUntil: integer('leased_until').notNull().default(0),
    createdAt: integer('created_at').notNull(),
    expiresAt: integer('expires_at').notNull(),
    settledAt: integer('settled_at'),
    lastError: text('last_error'),
  },
  (table) => [
    index('outbox_due').on(table.state, table.nextAt),
    index('outbox_recipient').on(table.recipientKey, table.createdAt),
  ],
);

/** Challenges that were answered: how often, and whether one of the answers was right. */
export const challenge = sqliteTable(
  'challenge',
  {
    id: text().primaryKey(),
    attempts: integer().notNull(),
    spentAt: integer('spent_at'),
    expiresAt: integer('expires_at').notNull(),
  },
  (table) => [index('challenge_expires_at').on(table.expiresAt)],
);

/** TOTP authenticators: one a user, its seed sealed. */
export const totp = sqliteTable('totp', {
  userId: text('user_id')
    .primaryKey()
    .references(() => user.id, { onDelete: 'cascade' }),
  secretSealed: text('secret_sealed').notNull(),
  /**
   * The newest time step of which a code was accepted: none up to it is accepted again (RFC 6238
   * §5.2).
   */
  lastStep: integer('last_step').notNull(),
  createdAt: integer('created_at').notNull(),
  lastUsedAt: integer('last_used_at'),
});

/**
 * A TOTP authenticator that was shown to its user and has yet to answer; it does nothing till then.
 */
export const totpEnrolment = sqliteTable('totp_enrolment', {
  userId: text('user_id')
    .primaryKey()
    .references(() => user.id, { onDelete: 'cascade' }),
  secretSealed: text('secret_sealed').notNull(),
  createdAt: integer('created_at').notNull(),
  expiresAt: integer('expires_at').notNull(),
});

/**
 * Recovery codes that are left. The first letter of a code picks the row; the rest is a password
 * hash (ASVS 6.5.2).
 */
export const recoveryCode = sqliteTable(
  'recovery_code',
  {
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    selector: text().notNull(),
    codeHash: text('code_hash').notNull(),
    createdAt: integer('created_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.userId, table.selector] })],
);

/**
 * Passkeys (WebAuthn L3 §4 "credential record"). A credential id belongs to one account (§7.1 step
 * 26).
 */
export const passkey = sqliteTable(
  'passkey',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => user.id, { onDelete: 'cascade' }),
    /** base64url */
    credentialId: text('credential_id').notNull(),
    /** COSE key, base64url */
    publicKey: text('public_key').notNull(),
    /** Signature counter; moves by one conditional statement alone. */
    counter: integer().notNull(),
    transports: text({ mode: 'json' }).$type<string[]>().notNull(),
    name: text().notNull(),
    aaguid: text().notNull(),
    backupEligible: integer('backup_eligible').notNull(),
    backedUp: integer('backed_up').notNull(),
    createdAt: integer('created_at').notNull(),
    lastUsedAt: integer('last_used_at'),
    /** When a counter came that was used before: there may be two of it. */
    cloneSuspectedAt: integer('clone_suspected_at'),
  },
  (table) => [
    uniqueIndex('passkey_credential_id').on(table.credentialId),
    index('passkey_user').on(table.userId),
  ],
);
