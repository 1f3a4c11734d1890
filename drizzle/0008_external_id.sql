ALTER TABLE `user` ADD `external_id` text;--> statement-breakpoint
CREATE UNIQUE INDEX `user_external_id` ON `user` (`external_id`);--> statement-breakpoint
CREATE INDEX `user_disabled` ON `user` (`id`) WHERE disabled_at IS NOT NULL;