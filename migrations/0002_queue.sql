-- The queue: jobs waiting and running, the workers that hold them, the dead, and the outcomes somebody waits for.
-- Read and written only by jobs/src/queue. ARCHITECTURE.md and that module's documentation say why it is shaped so.

-- What a claim changes comes first, so that its WAL record leaves out all that follows.
CREATE TABLE job (
    claimed_at    timestamptz,
    claimed_by    uuid,
    claim_no      integer     NOT NULL DEFAULT 0,
    attempt       smallint    NOT NULL DEFAULT 0,
    priority      smallint    NOT NULL,
    run_at        timestamptz NOT NULL DEFAULT now(),
    id            uuid        NOT NULL,
    tenant        uuid        NOT NULL,
    outcome_ttl_s integer     NOT NULL DEFAULT 0,
    max_attempts  smallint    NOT NULL,
    kind          text        NOT NULL,
    queue         text        NOT NULL,
    payload       text        NOT NULL,
    cancel_at     timestamptz,
    unique_key    text,
    concurrency_group text,
    request_id    text,
    trace_parent  text,
    replay_of     uuid,
    PRIMARY KEY (id),
    CONSTRAINT job_claim_is_whole      CHECK ((claimed_by IS NULL) = (claimed_at IS NULL)),
    CONSTRAINT job_running_has_attempt CHECK (claimed_by IS NULL OR (attempt >= 1 AND claim_no >= 1)),
    CONSTRAINT job_attempt_in_budget   CHECK (attempt BETWEEN 0 AND max_attempts),
    CONSTRAINT job_priority_is_natural CHECK (priority >= 0),
    CONSTRAINT job_budget_is_positive  CHECK (max_attempts >= 1),
    CONSTRAINT job_cancel_is_running   CHECK (cancel_at IS NULL OR claimed_by IS NOT NULL),
    CONSTRAINT job_outcome_ttl_is_time CHECK (outcome_ttl_s >= 0)
) WITH (
    -- A claim updates every row of a page in one transaction, and each grows by the claim's two columns. With more than
    -- half a page free all those updates stay on their page (HOT), so that no index is written by a claim.
    fillfactor = 45,
    -- Every job leaves two dead tuples within seconds: vacuum by number, not by share, and without pauses.
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_insert_scale_factor = 0.2,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.0,
    autovacuum_analyze_threshold = 50000,
    -- Truncating the empty tail takes an exclusive lock, and the next burst needs the pages again.
    vacuum_truncate = false
);

-- What a claim walks: a queue, its priorities, the tenants within, the oldest first. Nothing in it changes when a
-- job is claimed, so a claim stays HOT; a claimed row is skipped by a filter, and there are never more of those
-- than workers hold.
CREATE INDEX job_ready ON job (queue, priority, tenant, run_at);
-- One waiting or running job for a unique key of a kind and tenant.
CREATE UNIQUE INDEX job_unique_key ON job (kind, tenant, unique_key) WHERE unique_key IS NOT NULL;

COMMENT ON TABLE  job               IS 'Jobs that wait or run. A job that succeeded is deleted; a dead one moves to dead_job.';
COMMENT ON COLUMN job.id            IS 'UUID version 7: it carries the time of enqueueing, which therefore has no column.';
COMMENT ON COLUMN job.tenant        IS 'The organisation whose job it is; the nil UUID is the platform itself.';
COMMENT ON COLUMN job.run_at        IS 'Not claimed before this time; moved forward by a retry or a snooze.';
COMMENT ON COLUMN job.claim_no      IS 'Number of the last claim; grows by every claim, also where no attempt was spent. With claimed_by it is the fence.';
COMMENT ON COLUMN job.priority      IS 'Lower runs first; 0 is for jobs that a request waits for.';
COMMENT ON COLUMN job.attempt       IS 'Attempts spent, the running one included.';
COMMENT ON COLUMN job.max_attempts  IS 'After so many failed or lost attempts the job is dead.';
COMMENT ON COLUMN job.outcome_ttl_s IS 'How long the outcome is kept for whoever waits for it, in seconds; 0: nobody does.';
COMMENT ON COLUMN job.kind          IS 'Which handler runs it.';
COMMENT ON COLUMN job.queue         IS 'Which queue it waits in; workers serve queues, operators pause them.';
COMMENT ON COLUMN job.payload       IS 'JSON, as text because the database never looks into it.';
COMMENT ON COLUMN job.claimed_by    IS 'The worker process that holds it (worker.id); null while it waits.';
COMMENT ON COLUMN job.claimed_at    IS 'When it was claimed; null while it waits.';
COMMENT ON COLUMN job.cancel_at     IS 'When somebody asked for the running job to be cancelled.';
COMMENT ON COLUMN job.unique_key    IS 'While this job exists, enqueueing the same kind, tenant and key returns it.';
COMMENT ON COLUMN job.concurrency_group IS 'Jobs of one group share a limit on running jobs.';
COMMENT ON COLUMN job.request_id    IS 'The API request that caused it, for the logs.';
COMMENT ON COLUMN job.trace_parent  IS 'W3C traceparent of whoever enqueued it.';
COMMENT ON COLUMN job.replay_of     IS 'The dead job that this one replays.';

CREATE TABLE job_error (
    job_id      uuid        NOT NULL,
    claim_no    integer     NOT NULL,
    attempt     smallint    NOT NULL,
    failed_at   timestamptz NOT NULL DEFAULT now(),
    worker_id   uuid        NOT NULL,
    error_class text        NOT NULL,
    error       text        NOT NULL,
    details     jsonb,
    PRIMARY KEY (job_id, claim_no)
);
COMMENT ON TABLE  job_error             IS 'Failed attempts of jobs that still live. No foreign key: it would cost every completed job a trigger.';
COMMENT ON COLUMN job_error.job_id      IS 'The job that failed.';
COMMENT ON COLUMN job_error.claim_no    IS 'The claim that failed.';
COMMENT ON COLUMN job_error.attempt     IS 'The attempt that it spent.';
COMMENT ON COLUMN job_error.failed_at   IS 'When the failure was recorded.';
COMMENT ON COLUMN job_error.worker_id   IS 'The worker that ran it.';
COMMENT ON COLUMN job_error.error_class IS 'Stable name of the failure, for filters.';
COMMENT ON COLUMN job_error.error       IS 'Message for a person; holds no secret.';
COMMENT ON COLUMN job_error.details     IS 'Facts beside the message, where the handler gave any.';

CREATE TABLE dead_job (
    id            uuid        NOT NULL,
    tenant        uuid        NOT NULL,
    kind          text        NOT NULL,
    queue         text        NOT NULL,
    priority      smallint    NOT NULL,
    attempt       smallint    NOT NULL,
    max_attempts  smallint    NOT NULL,
    payload       text        NOT NULL,
    unique_key    text,
    concurrency_group text,
    request_id    text,
    trace_parent  text,
    reason        text        NOT NULL,
    error_class   text        NOT NULL,
    error         text        NOT NULL,
    errors        jsonb       NOT NULL DEFAULT '[]',
    lineage       uuid[]      NOT NULL DEFAULT '{}',
    died_at       timestamptz NOT NULL DEFAULT now(),
    replay_job_id uuid,
    replayed_at   timestamptz,
    PRIMARY KEY (id),
    CONSTRAINT dead_job_reason_is_known CHECK (reason IN
        ('attempts_exhausted', 'failed_for_good', 'worker_lost', 'undecodable_payload', 'unknown_kind')),
    CONSTRAINT dead_job_replay_is_whole CHECK ((replay_job_id IS NULL) = (replayed_at IS NULL))
);
CREATE INDEX dead_job_by_tenant ON dead_job (tenant, died_at DESC, id);
CREATE INDEX dead_job_by_kind ON dead_job (kind, died_at DESC, id);
CREATE INDEX dead_job_by_time ON dead_job (died_at DESC, id);

COMMENT ON TABLE  dead_job               IS 'Jobs that will not run again by themselves, kept until they are replayed with success or discarded.';
COMMENT ON COLUMN dead_job.id            IS 'The id that the job had.';
COMMENT ON COLUMN dead_job.tenant        IS 'The organisation whose job it was; the nil UUID is the platform itself.';
COMMENT ON COLUMN dead_job.kind          IS 'Its kind.';
COMMENT ON COLUMN dead_job.queue         IS 'Its queue; a replay goes there again.';
COMMENT ON COLUMN dead_job.priority      IS 'Its priority.';
COMMENT ON COLUMN dead_job.attempt       IS 'Attempts that it spent.';
COMMENT ON COLUMN dead_job.max_attempts  IS 'Its budget of attempts; a replay has the same again.';
COMMENT ON COLUMN dead_job.payload       IS 'Its payload, JSON as text, or whatever could not be decoded.';
COMMENT ON COLUMN dead_job.unique_key    IS 'Its unique key.';
COMMENT ON COLUMN dead_job.concurrency_group IS 'Its concurrency group.';
COMMENT ON COLUMN dead_job.request_id    IS 'The API request that caused it.';
COMMENT ON COLUMN dead_job.trace_parent  IS 'W3C traceparent of whoever enqueued it.';
COMMENT ON COLUMN dead_job.reason        IS 'Why it died.';
COMMENT ON COLUMN dead_job.error_class   IS 'Class of the last failure.';
COMMENT ON COLUMN dead_job.error         IS 'Message of the last failure.';
COMMENT ON COLUMN dead_job.errors        IS 'Every failed attempt, oldest first: job_id, attempt, failed_at, worker_id, error_class, error, details; those of its ancestors before its own.';
COMMENT ON COLUMN dead_job.lineage       IS 'The dead jobs that it replayed, oldest first; their rows are gone, their errors are in errors.';
COMMENT ON COLUMN dead_job.died_at       IS 'When it died.';
COMMENT ON COLUMN dead_job.replay_job_id IS 'The job that replays it now; null when none does.';
COMMENT ON COLUMN dead_job.replayed_at   IS 'When that replay was enqueued.';

CREATE TABLE job_outcome (
    job_id      uuid        NOT NULL,
    state       text        NOT NULL,
    result      jsonb,
    error_class text,
    error       text,
    details     jsonb,
    finished_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (job_id),
    CONSTRAINT job_outcome_state_is_known CHECK (state IN ('done', 'failed', 'cancelled')),
    CONSTRAINT job_outcome_failed_says_why CHECK (state <> 'failed' OR (error_class IS NOT NULL AND error IS NOT NULL))
);
CREATE INDEX job_outcome_by_expiry ON job_outcome (expires_at);

COMMENT ON TABLE  job_outcome             IS 'How awaited jobs ended, for a short time: only jobs whose kind or caller asked for it have a row.';
COMMENT ON COLUMN job_outcome.job_id      IS 'The job that ended.';
COMMENT ON COLUMN job_outcome.state       IS 'done, failed (dead) or cancelled.';
COMMENT ON COLUMN job_outcome.result      IS 'What the handler returned.';
COMMENT ON COLUMN job_outcome.error_class IS 'Class of the failure, of a failed job.';
COMMENT ON COLUMN job_outcome.error       IS 'Message of the failure, or why it was cancelled.';
COMMENT ON COLUMN job_outcome.details     IS 'Facts beside the message.';
COMMENT ON COLUMN job_outcome.finished_at IS 'When it ended.';
COMMENT ON COLUMN job_outcome.expires_at  IS 'Deleted by maintenance after this time.';

CREATE TABLE worker (
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    queues     text[]      NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    beat_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id)
) WITH (fillfactor = 50);
COMMENT ON TABLE  worker            IS 'Worker processes. The row is the lease of every job that the process holds: no row, no claim.';
COMMENT ON COLUMN worker.id         IS 'Random, chosen anew at every start and after every lost lease.';
COMMENT ON COLUMN worker.name       IS 'Host and process, for people.';
COMMENT ON COLUMN worker.queues     IS 'The queues it serves.';
COMMENT ON COLUMN worker.started_at IS 'When it registered.';
COMMENT ON COLUMN worker.beat_at    IS 'Last sign of life; too old, and the row is deleted and its jobs are rescued.';

CREATE TABLE queue_control (
    queue     text        NOT NULL,
    paused_at timestamptz,
    paused_by text,
    PRIMARY KEY (queue)
);
COMMENT ON TABLE  queue_control           IS 'What operators decided about queues. A queue without a row runs.';
COMMENT ON COLUMN queue_control.queue     IS 'Name of the queue.';
COMMENT ON COLUMN queue_control.paused_at IS 'Since when nothing is claimed from it; null: it runs.';
COMMENT ON COLUMN queue_control.paused_by IS 'Who paused it.';

-- Claims up to p_limit ready jobs of a queue: by priority, and within a priority an equal share for each tenant that
-- has ready work, beginning after the tenant p_after, so that successive claims go round. The share that one tenant
-- does not use goes to the others.
--
-- A function, because fairness takes a few dependent probes of one index and a round trip for each would cost more
-- than the claim; and because SET keeps the plan on that index behind any pooler, whatever the statistics say of a
-- table that is empty one moment and full the next.
CREATE FUNCTION queue_claim(p_worker uuid, p_queue text, p_limit integer, p_after uuid)
RETURNS SETOF job
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
    c_max_tenants constant integer := 200;
    c_platform    constant uuid := '00000000-0000-0000-0000-000000000000';
    c_last        constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    v_left     integer := p_limit;
    v_priority smallint := -1;
    v_tenants  uuid[];
    v_hungry   uuid[];
    v_tenant   uuid;
    v_until    uuid;
    v_wrapped  boolean;
    v_share    integer;
    v_got      integer;
BEGIN
    -- The lease: a rescuer deletes this row before it takes the jobs, and waits for claims that hold it.
    PERFORM 1 FROM worker w WHERE w.id = p_worker FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'worker % holds no lease', p_worker USING ERRCODE = 'PQ001';
    END IF;
    IF EXISTS (SELECT 1 FROM queue_control q WHERE q.queue = p_queue AND q.paused_at IS NOT NULL) THEN
        RETURN;
    END IF;

    WHILE v_left > 0 LOOP
        SELECT j.priority INTO v_priority FROM job j
         WHERE j.queue = p_queue AND j.priority > v_priority
         ORDER BY j.priority LIMIT 1;
        EXIT WHEN NOT FOUND;

        -- The tenants of this priority with ready work, from the one after p_after round to it.
        v_tenants := '{}';
        v_tenant  := p_after;
        v_until   := c_last;
        v_wrapped := false;
        LOOP
            SELECT j.tenant INTO v_tenant FROM job j
             WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant > v_tenant AND j.tenant <= v_until
             ORDER BY j.tenant LIMIT 1;
            IF NOT FOUND THEN
                EXIT WHEN v_wrapped;
                v_wrapped := true;
                v_tenant  := c_platform;
                v_until   := p_after;
            END IF;
            IF EXISTS (SELECT 1 FROM job j
                        WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant = v_tenant
                          AND j.run_at <= now() AND j.claimed_by IS NULL) THEN
                v_tenants := v_tenants || v_tenant;
                EXIT WHEN cardinality(v_tenants) >= least(v_left, c_max_tenants);
            END IF;
        END LOOP;

        WHILE v_left > 0 AND cardinality(v_tenants) > 0 LOOP
            v_share  := greatest(1, v_left / cardinality(v_tenants));
            v_hungry := '{}';
            FOREACH v_tenant IN ARRAY v_tenants LOOP
                EXIT WHEN v_left <= 0;
                RETURN QUERY
                WITH picked AS MATERIALIZED (
                    SELECT j.ctid AS tid FROM job j
                     WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant = v_tenant
                       AND j.run_at <= now() AND j.claimed_by IS NULL
                     ORDER BY j.run_at
                     LIMIT least(v_share, v_left)
                     FOR UPDATE SKIP LOCKED)
                UPDATE job j
                   SET claimed_by = p_worker, claimed_at = now(), claim_no = j.claim_no + 1, attempt = j.attempt + 1
                  FROM picked
                 WHERE j.ctid = picked.tid
                RETURNING j.*;
                GET DIAGNOSTICS v_got = ROW_COUNT;
                v_left := v_left - v_got;
                IF v_got >= v_share THEN
                    v_hungry := v_hungry || v_tenant;
                END IF;
            END LOOP;
            v_tenants := v_hungry;
        END LOOP;
    END LOOP;
END $$;
COMMENT ON FUNCTION queue_claim(uuid, text, integer, uuid) IS
    'Claims ready jobs of a queue for a worker, fairly among tenants. Fails with PQ001 when the worker holds no lease.';

-- Deletes jobs that succeeded and leave nothing behind, where the claim still stands, and says how many did.
CREATE FUNCTION queue_complete(p_workers uuid[], p_ids uuid[], p_claim_nos integer[])
RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
    v_deleted integer;
BEGIN
    DELETE FROM job j
     USING unnest(p_workers, p_ids, p_claim_nos) AS done(worker, id, claim_no)
     WHERE j.id = done.id AND j.claim_no = done.claim_no AND j.claimed_by = done.worker;
    GET DIAGNOSTICS v_deleted = ROW_COUNT;
    RETURN v_deleted;
END $$;
COMMENT ON FUNCTION queue_complete(uuid[], uuid[], integer[]) IS
    'Deletes succeeded jobs by their fences (worker, job, number of the claim) and returns how many still stood.';
