-- Schedules: scans that begin by themselves, and what became of every firing.

CREATE TABLE schedule (
    id                   uuid        PRIMARY KEY,
    org_id               uuid        NOT NULL REFERENCES org (id),
    cloud_account_id     uuid        REFERENCES cloud_account (id),
    name                 text        NOT NULL CHECK (length(name) BETWEEN 1 AND 256),
    schedule             text        NOT NULL CHECK (length(schedule) BETWEEN 1 AND 256),
    timezone             text        NOT NULL CHECK (length(timezone) BETWEEN 1 AND 64),
    filter_regions       text[]      NOT NULL,
    notify_webhook_config_ids uuid[] NOT NULL CHECK (cardinality(notify_webhook_config_ids) <= 20),
    notify_slack_channel text        CHECK (length(notify_slack_channel) BETWEEN 1 AND 128),
    enabled              boolean     NOT NULL,
    disabled_reason      text,
    consecutive_failures integer     NOT NULL DEFAULT 0 CHECK (consecutive_failures >= 0),
    last_error           text,
    last_run_at          timestamptz,
    next_run_at          timestamptz,
    created_by           text        NOT NULL,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    deleted_at           timestamptz,
    CONSTRAINT schedule_fires_only_while_enabled CHECK (next_run_at IS NULL OR (enabled AND deleted_at IS NULL)),
    CONSTRAINT schedule_enabled_has_no_reason CHECK (disabled_reason IS NULL OR NOT enabled)
) WITH (fillfactor = 70);
CREATE INDEX schedule_org_idx ON schedule (org_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
-- What every scheduler walks, from its beginning.
CREATE INDEX schedule_due_idx ON schedule (next_run_at) WHERE next_run_at IS NOT NULL;
COMMENT ON TABLE  schedule IS 'When scans begin by themselves. Locked while it fires or is changed.';
COMMENT ON COLUMN schedule.id IS 'UUID v7. Its hash decides by how much its firings are put off, see jobs::schedules::spread.';
COMMENT ON COLUMN schedule.org_id IS 'The organisation.';
COMMENT ON COLUMN schedule.cloud_account_id IS 'The account that is scanned; null: all that there are at each firing.';
COMMENT ON COLUMN schedule.name IS 'Name that people see.';
COMMENT ON COLUMN schedule.schedule IS 'Five-field cron line, see jobs::cron.';
COMMENT ON COLUMN schedule.timezone IS 'IANA name of the zone that the line is read in.';
COMMENT ON COLUMN schedule.filter_regions IS 'Regions that are read; empty: every enabled one.';
COMMENT ON COLUMN schedule.notify_webhook_config_ids IS 'Webhook endpoints that are told of its scans whatever they have asked for.';
COMMENT ON COLUMN schedule.notify_slack_channel IS 'Kept for when Slack is connected.';
COMMENT ON COLUMN schedule.enabled IS 'Whether it fires.';
COMMENT ON COLUMN schedule.disabled_reason IS 'Why the platform switched it off; null where a person did.';
COMMENT ON COLUMN schedule.consecutive_failures IS 'Firings in a row all of whose scans failed.';
COMMENT ON COLUMN schedule.last_error IS 'What went wrong last; null after a firing without a fault.';
COMMENT ON COLUMN schedule.last_run_at IS 'When it last started scans.';
COMMENT ON COLUMN schedule.next_run_at IS 'When it fires next, put off by its spread; null while it does not.';
COMMENT ON COLUMN schedule.created_by IS 'Id of the person or key that created it.';
COMMENT ON COLUMN schedule.created_at IS 'When it was created.';
COMMENT ON COLUMN schedule.updated_at IS 'Last change by a person.';
COMMENT ON COLUMN schedule.deleted_at IS 'Soft delete: kept for audit, fires no more.';

-- The primary key is why nothing fires twice: the row is written in the transaction that enqueues the scans.
CREATE TABLE schedule_firing (
    schedule_id   uuid        NOT NULL,
    scheduled_for timestamptz NOT NULL,
    org_id        uuid        NOT NULL,
    trigger       text        NOT NULL CHECK (trigger IN ('cron', 'manual')),
    outcome       text        NOT NULL CHECK (outcome IN ('started', 'still_running', 'plan_limit', 'no_accounts', 'missed')),
    scans         integer     NOT NULL DEFAULT 0,
    passed_over   integer     NOT NULL DEFAULT 0,
    missed_count  integer     NOT NULL DEFAULT 0,
    missed_since  timestamptz,
    fired_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    failed        integer,
    finished_at   timestamptz,
    PRIMARY KEY (schedule_id, scheduled_for),
    CONSTRAINT schedule_firing_started_has_scans CHECK ((outcome = 'started') = (scans > 0)),
    CONSTRAINT schedule_firing_missed_says_since CHECK ((missed_count > 0) = (missed_since IS NOT NULL)),
    CONSTRAINT schedule_firing_finished_says_how CHECK ((finished_at IS NULL) = (failed IS NULL))
);
CREATE INDEX schedule_firing_time_idx ON schedule_firing (fired_at);
COMMENT ON TABLE  schedule_firing IS 'What became of every firing of a schedule, and of every request to run one now. No foreign key: retention deletes it by time.';
COMMENT ON COLUMN schedule_firing.schedule_id IS 'The schedule.';
COMMENT ON COLUMN schedule_firing.scheduled_for IS 'The time that its line names, without its spread; for a request, the time of that.';
COMMENT ON COLUMN schedule_firing.org_id IS 'The organisation.';
COMMENT ON COLUMN schedule_firing.trigger IS 'cron, or manual for a request to run it now.';
COMMENT ON COLUMN schedule_firing.outcome IS 'started, or why no scan was: still_running, plan_limit, no_accounts, missed.';
COMMENT ON COLUMN schedule_firing.scans IS 'Scans that were started.';
COMMENT ON COLUMN schedule_firing.passed_over IS 'Accounts left out because the schedule''s last scan of them had not ended.';
COMMENT ON COLUMN schedule_firing.missed_count IS 'Firings before this one that nobody carried out in time.';
COMMENT ON COLUMN schedule_firing.missed_since IS 'The first of those.';
COMMENT ON COLUMN schedule_firing.fired_at IS 'When it was carried out, by the database''s clock.';
COMMENT ON COLUMN schedule_firing.failed IS 'Scans that ended in error, once all have ended.';
COMMENT ON COLUMN schedule_firing.finished_at IS 'When the last scan ended.';

ALTER TABLE scan_run ADD COLUMN schedule_id uuid,
                     ADD COLUMN scheduled_for timestamptz,
                     ADD CONSTRAINT scan_run_firing_is_whole CHECK ((schedule_id IS NULL) = (scheduled_for IS NULL));
CREATE INDEX scan_run_firing_idx ON scan_run (schedule_id, scheduled_for) WHERE schedule_id IS NOT NULL;
CREATE INDEX scan_run_schedule_open_idx ON scan_run (schedule_id, cloud_account_id)
    WHERE schedule_id IS NOT NULL AND status IN ('pending', 'running');
COMMENT ON COLUMN scan_run.schedule_id IS 'The schedule that started it; null where somebody else did.';
COMMENT ON COLUMN scan_run.scheduled_for IS 'Which firing of the schedule started it.';
