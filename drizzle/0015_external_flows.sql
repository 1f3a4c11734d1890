CREATE TABLE `external_flow` (
	`id` text PRIMARY KEY NOT NULL,
	`provider` text NOT NULL,
	`redirect_uri` text NOT NULL,
	`expires_at` integer NOT NULL,
	`spent_at` integer
);
--> statement-breakpoint
CREATE INDEX `external_flow_expires_at` ON `external_flow` (`expires_at`);