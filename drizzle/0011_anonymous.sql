ALTER TABLE `user` ADD `anonymous_at` integer;--> statement-breakpoint
CREATE INDEX `user_anonymous` ON `user` (`anonymous_at`) WHERE anonymous_at IS NOT NULL;