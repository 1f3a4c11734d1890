DROP INDEX `sms_message_created`;--> statement-breakpoint
ALTER TABLE `sms_message` ADD `seq` integer;--> statement-breakpoint
CREATE UNIQUE INDEX `sms_message_seq` ON `sms_message` (`seq`);--> statement-breakpoint
CREATE INDEX `sms_message_created` ON `sms_message` (`created_at`);