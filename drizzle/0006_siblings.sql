CREATE TABLE `api_key` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`secret_hash` text NOT NULL,
	`scopes` text NOT NULL,
	`audiences` text DEFAULT '[]' NOT NULL,
	`may_exchange_to` text DEFAULT '[]' NOT NULL,
	`claims` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`last_used_at` integer,
	`revoked_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_key_name` ON `api_key` (`name`) WHERE revoked_at IS NULL;--> statement-breakpoint
CREATE INDEX `api_key_revoked_at` ON `api_key` (`revoked_at`) WHERE revoked_at IS NOT NULL;--> statement-breakpoint
CREATE INDEX `api_key_expires_at` ON `api_key` (`expires_at`) WHERE expires_at IS NOT NULL;--> statement-breakpoint
CREATE TABLE `status_counter` (
	`id` integer PRIMARY KEY NOT NULL,
	`next` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `revocation` ADD `status_index` integer;--> statement-breakpoint
ALTER TABLE `session` ADD `status_index` integer;--> statement-breakpoint
CREATE UNIQUE INDEX `session_status_index` ON `session` (`status_index`);