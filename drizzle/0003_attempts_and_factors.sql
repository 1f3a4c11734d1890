CREATE TABLE `attempt` (
	`purpose` text NOT NULL,
	`subject` text NOT NULL,
	`scope_kind` text NOT NULL,
	`scope_id` text NOT NULL,
	`owner_user_id` text,
	`failures` integer NOT NULL,
	`recent` real NOT NULL,
	`last_at` integer NOT NULL,
	`blocked_until` integer NOT NULL,
	PRIMARY KEY(`purpose`, `subject`, `scope_kind`, `scope_id`),
	FOREIGN KEY (`owner_user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `attempt_last_at` ON `attempt` (`purpose`,`last_at`);--> statement-breakpoint
CREATE INDEX `attempt_owner` ON `attempt` (`owner_user_id`) WHERE owner_user_id IS NOT NULL;--> statement-breakpoint
ALTER TABLE `session` ADD `factors` text DEFAULT '[]' NOT NULL;--> statement-breakpoint
CREATE INDEX `session_ended_at` ON `session` (`ended_at`) WHERE ended_at IS NOT NULL;--> statement-breakpoint
CREATE INDEX `outbox_created_at` ON `outbox` (`created_at`);--> statement-breakpoint
CREATE INDEX `totp_enrolment_expires_at` ON `totp_enrolment` (`expires_at`);--> statement-breakpoint
CREATE INDEX `user_pending_email` ON `user` (`pending_email_canonical`);--> statement-breakpoint
-- The counters of accounts: purpose, user, and whoever had one of its own after a second colon.
INSERT INTO `attempt` (`purpose`, `subject`, `scope_kind`, `scope_id`, `owner_user_id`, `failures`, `recent`, `last_at`, `blocked_until`)
SELECT
	CASE t.kind WHEN 'password' THEN 'password' WHEN 'second' THEN 'second_factor' WHEN 'totp-enrolment' THEN 'totp_enrolment' ELSE 'email_code' END,
	t.user_id,
	CASE WHEN t.scope = '' THEN 'anybody' WHEN length(t.scope) = 37 AND t.scope LIKE 's%' THEN 'session' ELSE 'device' END,
	CASE WHEN length(t.scope) = 37 THEN substr(t.scope, 2) ELSE t.scope END,
	t.user_id, t.failures, t.recent, t.last_at, t.blocked_until
FROM (
	SELECT
		substr(key, 1, instr(key, ':') - 1) AS kind,
		substr(key, instr(key, ':') + 1, 36) AS user_id,
		substr(key, instr(key, ':') + 38) AS scope,
		failures, recent, last_at, blocked_until
	FROM `throttle`
	WHERE instr(key, ':') > 0
) AS t
JOIN `user` AS u ON u.id = t.user_id
WHERE t.kind IN ('password', 'second', 'totp-enrolment', 'code');
--> statement-breakpoint
-- Names without an account, and registrations: hashes, which no user id looks like.
INSERT OR IGNORE INTO `attempt` (`purpose`, `subject`, `scope_kind`, `scope_id`, `owner_user_id`, `failures`, `recent`, `last_at`, `blocked_until`)
SELECT
	CASE WHEN key LIKE 'password:?%' THEN 'unknown_name' WHEN key LIKE 'registration:@%' THEN 'registration_code' ELSE 'registration_link' END,
	CASE WHEN key LIKE 'registration:%' AND key NOT LIKE 'registration:@%' THEN substr(key, instr(key, ':') + 1) ELSE substr(key, instr(key, ':') + 2) END,
	'anybody', '', NULL, failures, recent, last_at, blocked_until
FROM `throttle`
WHERE key LIKE 'password:?%' OR key LIKE 'registration:%';
--> statement-breakpoint
-- What each session's methods (RFC 8176) say of the factors that were presented.
UPDATE `session` SET `factors` = (
	SELECT json_group_array(json(f.entry)) FROM (
		SELECT '{"factor":"password","kind":"knowledge","amr":["pwd"]}' AS entry
		WHERE EXISTS (SELECT 1 FROM json_each(`session`.`amr`) WHERE value = 'pwd')
		UNION ALL
		SELECT '{"factor":"totp","kind":"device","amr":["otp"]}'
		WHERE EXISTS (SELECT 1 FROM json_each(`session`.`amr`) WHERE value = 'otp')
		UNION ALL
		SELECT json_object('factor', 'passkey', 'kind', 'device',
			'amr', (SELECT json_group_array(value) FROM json_each(`session`.`amr`) WHERE value IN ('hwk', 'swk', 'user')),
			'isMultiFactor', json(CASE WHEN EXISTS (SELECT 1 FROM json_each(`session`.`amr`) WHERE value = 'mfa')
				AND NOT EXISTS (SELECT 1 FROM json_each(`session`.`amr`) WHERE value = 'pwd') THEN 'true' ELSE 'false' END))
		WHERE EXISTS (SELECT 1 FROM json_each(`session`.`amr`) WHERE value IN ('hwk', 'swk'))
	) AS f
);
