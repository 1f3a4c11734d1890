DROP INDEX `outbox_due`;--> statement-breakpoint
DROP INDEX `outbox_created_at`;--> statement-breakpoint
DROP INDEX `outbox_recipient`;--> statement-breakpoint
ALTER TABLE `outbox` ADD `kind` text DEFAULT 'real' NOT NULL;--> statement-breakpoint
ALTER TABLE `outbox` ADD `lane` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `outbox` ADD `domain` text DEFAULT '-' NOT NULL;--> statement-breakpoint
ALTER TABLE `outbox` ADD `requester_key` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `outbox` ADD `seq` integer;--> statement-breakpoint
ALTER TABLE `outbox` ADD `purge_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `outbox_lane` ON `outbox` (`lane`,`next_at`) WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX `outbox_turn` ON `outbox` (`lane`,`domain`,`next_at`) WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX `outbox_state` ON `outbox` (`state`,`created_at`);--> statement-breakpoint
CREATE INDEX `outbox_expires_at` ON `outbox` (`expires_at`) WHERE state = 'pending';--> statement-breakpoint
CREATE INDEX `outbox_purge_at` ON `outbox` (`purge_at`);--> statement-breakpoint
CREATE INDEX `outbox_requester` ON `outbox` (`requester_key`,`created_at`) WHERE seq IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `outbox_seq` ON `outbox` (`seq`);--> statement-breakpoint
CREATE INDEX `outbox_recipient` ON `outbox` (`recipient_key`,`limit_group`,`created_at`);--> statement-breakpoint
DROP INDEX `session_live_by_user`;--> statement-breakpoint
CREATE INDEX `session_user` ON `session` (`user_id`,`ended_at`,`created_at`);--> statement-breakpoint
CREATE INDEX `one_time_pending_registration` ON `one_time` (`expires_at`) WHERE purpose = 'registration' AND spent_at IS NULL;