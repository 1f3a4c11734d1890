CREATE TABLE `audit_event` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`data` text NOT NULL,
	`personal` text,
	`salt` blob,
	`id` text GENERATED ALWAYS AS (json_extract(data, '$.id')) VIRTUAL NOT NULL,
	`at` integer GENERATED ALWAYS AS (json_extract(data, '$.at')) VIRTUAL NOT NULL,
	`event` text GENERATED ALWAYS AS (json_extract(data, '$.event')) VIRTUAL NOT NULL,
	`outcome` text GENERATED ALWAYS AS (json_extract(data, '$.outcome')) VIRTUAL NOT NULL,
	`user_id` text GENERATED ALWAYS AS (json_extract(data, '$.user')) VIRTUAL
);
--> statement-breakpoint
CREATE INDEX `audit_event_id` ON `audit_event` (`id`);--> statement-breakpoint
CREATE INDEX `audit_event_at` ON `audit_event` (`at`);--> statement-breakpoint
CREATE INDEX `audit_event_event` ON `audit_event` (`event`,`seq`);--> statement-breakpoint
CREATE INDEX `audit_event_user` ON `audit_event` (`user_id`,`seq`) WHERE user_id IS NOT NULL;