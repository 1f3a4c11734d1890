CREATE TABLE `external_identity` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`provider` text NOT NULL,
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`email` text,
	`created_at` integer NOT NULL,
	`last_used_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `user`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `external_identity_subject` ON `external_identity` (`issuer`,`subject`);--> statement-breakpoint
CREATE UNIQUE INDEX `external_identity_user` ON `external_identity` (`user_id`,`provider`);