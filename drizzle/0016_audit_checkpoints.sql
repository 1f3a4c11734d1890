CREATE TABLE `audit_checkpoint` (
	`size` integer PRIMARY KEY NOT NULL,
	`last_seq` integer NOT NULL,
	`root` text NOT NULL,
	`frontier` text NOT NULL,
	`at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `audit_checkpoint_at` ON `audit_checkpoint` (`at`);--> statement-breakpoint
CREATE TABLE `audit_pruned` (
	`id` integer PRIMARY KEY NOT NULL,
	`size` integer NOT NULL,
	`last_seq` integer NOT NULL,
	`frontier` text NOT NULL
);
