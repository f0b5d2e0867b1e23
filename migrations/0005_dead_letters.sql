-- Dead letters that can be listed, and batches that replay them. Read and written only by jobs/src/queue.

-- Lists are newest first with the id as the tie-break, and pages begin where the one before ended: both columns
-- must run the same way for that to be one walk of an index. A job dies rarely, so that many indexes cost little; each
-- filter that people begin with has one, what they add to it is checked on the rows.
DROP INDEX dead_job_by_tenant, dead_job_by_kind, dead_job_by_time;
CREATE INDEX dead_job_by_time        ON dead_job (died_at, id);
CREATE INDEX dead_job_by_kind        ON dead_job (kind, died_at, id);
CREATE INDEX dead_job_by_tenant      ON dead_job (tenant, died_at, id);
CREATE INDEX dead_job_by_tenant_kind ON dead_job (tenant, kind, died_at, id);
CREATE INDEX dead_job_by_error_class ON dead_job (error_class, died_at, id);
CREATE INDEX dead_job_by_reason      ON dead_job (reason, died_at, id);
CREATE INDEX dead_job_by_queue       ON dead_job (queue, died_at, id);

CREATE TABLE replay_batch (
    id               uuid        NOT NULL,
    state            text        NOT NULL DEFAULT 'waiting',
    filter           jsonb       NOT NULL,
    rate             double precision,
    note             text,
    created_by       jsonb       NOT NULL,
    origin           jsonb       NOT NULL,
    total            bigint      NOT NULL DEFAULT 0,
    handled          bigint      NOT NULL DEFAULT 0,
    replayed         bigint      NOT NULL DEFAULT 0,
    superseded       bigint      NOT NULL DEFAULT 0,
    already_replayed bigint      NOT NULL DEFAULT 0,
    discarded        bigint      NOT NULL DEFAULT 0,
    expired          bigint      NOT NULL DEFAULT 0,
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    next_at          timestamptz,
    finished_at      timestamptz,
    PRIMARY KEY (id),
    CONSTRAINT replay_batch_state_is_known    CHECK (state IN ('waiting', 'running', 'done', 'cancelled')),
    CONSTRAINT replay_batch_rate_is_possible  CHECK (rate BETWEEN 0.1 AND 1000),
    CONSTRAINT replay_batch_adds_up           CHECK (handled = replayed + superseded + already_replayed + discarded + expired),
    CONSTRAINT replay_batch_in_its_bounds     CHECK (handled <= total),
    CONSTRAINT replay_batch_done_is_all       CHECK (state <> 'done' OR handled = total),
    CONSTRAINT replay_batch_end_has_its_time  CHECK ((state IN ('done', 'cancelled')) = (finished_at IS NOT NULL))
);
-- Few at any time: what is discarded looks here whether a batch still counts on it.
CREATE INDEX replay_batch_open ON replay_batch (id) WHERE finished_at IS NULL;
CREATE INDEX replay_batch_by_end ON replay_batch (finished_at) WHERE finished_at IS NOT NULL;

COMMENT ON TABLE  replay_batch                  IS 'Replays of many dead jobs: what was asked for, and how far it is. A job of kind replay_dead_jobs works it off.';
COMMENT ON COLUMN replay_batch.id               IS 'UUID v7; the unique key of its job.';
COMMENT ON COLUMN replay_batch.state            IS 'waiting, running, done or cancelled.';
COMMENT ON COLUMN replay_batch.filter           IS 'The filter that chose its dead jobs when it was created; for people, the choice stands in replay_batch_item.';
COMMENT ON COLUMN replay_batch.rate             IS 'Jobs replayed a second at most; null: as fast as it goes.';
COMMENT ON COLUMN replay_batch.note             IS 'Why, in the words of whoever created it.';
COMMENT ON COLUMN replay_batch.created_by       IS 'The actor who created it, for the audit rows of its replays.';
COMMENT ON COLUMN replay_batch.origin           IS 'The request and address that it was created from.';
COMMENT ON COLUMN replay_batch.total            IS 'Its dead jobs.';
COMMENT ON COLUMN replay_batch.handled          IS 'Those that it is through with: the first so many by seq.';
COMMENT ON COLUMN replay_batch.replayed         IS 'Those that run again through it.';
COMMENT ON COLUMN replay_batch.superseded       IS 'Skipped: a job with the same unique key waited or ran.';
COMMENT ON COLUMN replay_batch.already_replayed IS 'Skipped: somebody else had replayed them.';
COMMENT ON COLUMN replay_batch.discarded        IS 'Skipped: somebody had discarded them.';
COMMENT ON COLUMN replay_batch.expired          IS 'Skipped: they were past their retention.';
COMMENT ON COLUMN replay_batch.created_at       IS 'When it was created; its dead jobs were dead then.';
COMMENT ON COLUMN replay_batch.started_at       IS 'When its first slice was replayed.';
COMMENT ON COLUMN replay_batch.next_at          IS 'When its rate allows the next slice.';
COMMENT ON COLUMN replay_batch.finished_at      IS 'When it was done or cancelled; it is forgotten a month later.';

-- The primary key is why a batch replays nothing twice: a dead job stands in it once, and gets its replay there in the
-- transaction that enqueues it. No foreign keys: a batch may have a million rows, and each would cost a trigger.
CREATE TABLE replay_batch_item (
    batch_id      uuid   NOT NULL,
    seq           bigint NOT NULL,
    dead_job_id   uuid   NOT NULL,
    replay_job_id uuid,
    skipped       text,
    PRIMARY KEY (batch_id, dead_job_id),
    CONSTRAINT replay_batch_item_seq_key UNIQUE (batch_id, seq),
    CONSTRAINT replay_batch_item_skip_is_known CHECK (skipped IN ('superseded', 'already_replayed', 'discarded', 'expired')),
    CONSTRAINT replay_batch_item_has_one_end CHECK (replay_job_id IS NULL OR skipped IS NULL)
);
COMMENT ON TABLE  replay_batch_item               IS 'The dead jobs of a batch of replays, frozen at its creation.';
COMMENT ON COLUMN replay_batch_item.batch_id      IS 'The batch.';
COMMENT ON COLUMN replay_batch_item.seq           IS 'Its turn, from 1: who died first is replayed first.';
COMMENT ON COLUMN replay_batch_item.dead_job_id   IS 'The dead job.';
COMMENT ON COLUMN replay_batch_item.replay_job_id IS 'The job that replays it; null until its turn, or when it was skipped.';
COMMENT ON COLUMN replay_batch_item.skipped       IS 'Why it was not replayed; discarded and expired are noted before its turn.';
