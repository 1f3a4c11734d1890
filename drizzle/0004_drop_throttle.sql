DROP TABLE `throttle`;--> statement-breakpoint
ALTER TABLE `session` DROP COLUMN `amr`;