CREATE TABLE `sms_day` (
	`country` text NOT NULL,
	`day_at` integer NOT NULL,
	`verified` integer NOT NULL,
	PRIMARY KEY(`country`, `day_at`)
);
--> statement-breakpoint
CREATE INDEX `sms_day_at` ON `sms_day` (`day_at`);--> statement-breakpoint
CREATE TABLE `sms_message` (
	`id` text PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`country` text NOT NULL,
	`is_new` integer NOT NULL,
	`number_key` text NOT NULL,
	`account_key` text NOT NULL,
	`network_key` text NOT NULL,
	`created_at` integer NOT NULL,
	`verified_at` integer,
	`denied` text
);
--> statement-breakpoint
CREATE INDEX `sms_message_number` ON `sms_message` (`number_key`,`created_at`);--> statement-breakpoint
CREATE INDEX `sms_message_account` ON `sms_message` (`account_key`,`created_at`);--> statement-breakpoint
CREATE INDEX `sms_message_network` ON `sms_message` (`network_key`,`created_at`);--> statement-breakpoint
CREATE INDEX `sms_message_country` ON `sms_message` (`country`,`created_at`) WHERE is_new = 1 AND verified_at IS NULL;--> statement-breakpoint
CREATE INDEX `sms_message_created` ON `sms_message` (`created_at`,`kind`);--> statement-breakpoint
ALTER TABLE `user` ADD `phone` text;--> statement-breakpoint
ALTER TABLE `user` ADD `pending_phone` text;--> statement-breakpoint
CREATE UNIQUE INDEX `user_phone` ON `user` (`phone`);