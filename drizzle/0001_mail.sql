CREATE TABLE `one_time` (
	`id` text PRIMARY KEY NOT NULL,
	`purpose` text NOT NULL,
	`user_id` text,
	`subject` text,
	`token_hash` text,
	`code_hash` text,
	`attempts` integer DEFAULT 0 NOT NULL,
	`payload_sealed` text,
	`created_at` integer NOT NULL,
	`code_expires_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`spent_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `one_time_token_hash` ON `one_time` (`token_hash`);--> statement-breakpoint
CREATE INDEX `one_time_user` ON `one_time` (`user_id`,`purpose`);--> statement-breakpoint
CREATE INDEX `one_time_expires_at` ON `one_time` (`expires_at`);--> statement-breakpoint
CREATE TABLE `outbox` (
	`id` text PRIMARY KEY NOT NULL,
	`letter` text NOT NULL,
	`limit_group` text DEFAULT '' NOT NULL,
	`recipient` text NOT NULL,
	`recipient_key` text NOT NULL,
	`payload_sealed` text,
	`state` text NOT NULL,
	`attempts` integer DEFAULT 0 NOT NULL,
	`next_at` integer NOT NULL,
	`leased_until` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`settled_at` integer,
	`last_error` text
);
--> statement-breakpoint
CREATE INDEX `outbox_due` ON `outbox` (`state`,`next_at`);--> statement-breakpoint
CREATE INDEX `outbox_recipient` ON `outbox` (`recipient_key`,`created_at`);--> statement-breakpoint
CREATE TABLE `password_history` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`user_id` text NOT NULL,
	`password_hash` text NOT NULL,
	`replaced_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `password_history_user` ON `password_history` (`user_id`,`id`);--> statement-breakpoint
ALTER TABLE `user` ADD `password_change_required_at` integer;