CREATE TABLE `event_ack` (
	`stream` text NOT NULL,
	`seq` integer NOT NULL,
	PRIMARY KEY(`stream`, `seq`)
);
--> statement-breakpoint
CREATE TABLE `event_dead_letter` (
	`stream` text NOT NULL,
	`seq` integer NOT NULL,
	`event_id` text NOT NULL,
	`event` text NOT NULL,
	`error` text NOT NULL,
	`failed_at` integer NOT NULL,
	`retry_at` integer,
	PRIMARY KEY(`stream`, `seq`)
);
--> statement-breakpoint
CREATE INDEX `event_dead_letter_failed_at` ON `event_dead_letter` (`failed_at`);--> statement-breakpoint
CREATE TABLE `event_stream` (
	`name` text PRIMARY KEY NOT NULL,
	`cursor` integer NOT NULL,
	`lease_owner` text,
	`lease_until` integer DEFAULT 0 NOT NULL
);
