DROP INDEX `audit_event_at`;--> statement-breakpoint
DROP INDEX `audit_event_outcome`;--> statement-breakpoint
CREATE INDEX `audit_event_failure` ON `audit_event` (`seq`) WHERE outcome = 'failure';