-- Claims that go round everything that could wait for something else: not only tenants but, within a tenant, kinds and
-- concurrency groups; limits on running jobs that hold exactly, across all processes; and claims that cost the same
-- however many dead index entries an old snapshot keeps in front of the work.
-- A stream is what is claimed from in order of time: the jobs of one queue, priority, tenant, kind and concurrency group.

ALTER TABLE job ALTER COLUMN concurrency_group SET DEFAULT '';
UPDATE job SET concurrency_group = '' WHERE concurrency_group IS NULL;
ALTER TABLE job ALTER COLUMN concurrency_group SET NOT NULL;
ALTER TABLE dead_job ALTER COLUMN concurrency_group SET DEFAULT '';
UPDATE dead_job SET concurrency_group = '' WHERE concurrency_group IS NULL;
ALTER TABLE dead_job ALTER COLUMN concurrency_group SET NOT NULL;
COMMENT ON COLUMN job.concurrency_group IS 'Jobs of one kind and group share a limit on running jobs; empty: none.';
COMMENT ON COLUMN dead_job.concurrency_group IS 'Its concurrency group; empty: none.';

ALTER TABLE job ADD COLUMN slots text[];
COMMENT ON COLUMN job.slots IS 'Keys of the concurrency_slot rows in which the running job is counted; null where no limit applied when it was claimed, and while it waits.';
ALTER TABLE job ADD CONSTRAINT job_slots_are_of_the_running CHECK (slots IS NULL OR claimed_by IS NOT NULL);

-- What a claim walks: stream by stream, in each the oldest first. Nothing in it changes when a job is claimed, so a claim stays
-- HOT; a claimed row is skipped by a filter, and there are never more of those than workers hold.
DROP INDEX job_ready;
CREATE INDEX job_ready ON job (queue, priority, tenant, kind, concurrency_group, run_at);

CREATE TABLE concurrency_limit (
    kind        text        NOT NULL,
    per         text        NOT NULL,
    tenant      uuid        NOT NULL,
    max_running integer     NOT NULL,
    set_at      timestamptz NOT NULL DEFAULT now(),
    set_by      text        NOT NULL,
    PRIMARY KEY (kind, per, tenant),
    CONSTRAINT concurrency_limit_per_is_known CHECK (per IN ('fleet', 'tenant', 'group')),
    CONSTRAINT concurrency_limit_is_natural   CHECK (max_running >= 0),
    CONSTRAINT concurrency_limit_of_a_tenant  CHECK (per = 'tenant' OR tenant = '00000000-0000-0000-0000-000000000000')
);
COMMENT ON TABLE  concurrency_limit             IS 'How many jobs may run at once in all processes together. A job counts in every limit that applied when it was claimed.';
COMMENT ON COLUMN concurrency_limit.kind        IS 'The kind it holds for; empty: for the jobs of all kinds together.';
COMMENT ON COLUMN concurrency_limit.per         IS 'What is counted: the whole fleet, each tenant, or each concurrency group.';
COMMENT ON COLUMN concurrency_limit.tenant      IS 'The tenant whose own limit it is, before that of all tenants; the nil UUID: every tenant. The platform''s own jobs are no tenant''s.';
COMMENT ON COLUMN concurrency_limit.max_running IS 'So many at once; 0 stops them.';
COMMENT ON COLUMN concurrency_limit.set_at      IS 'When it was set.';
COMMENT ON COLUMN concurrency_limit.set_by      IS 'Who set it.';

CREATE TABLE concurrency_slot (
    key     text    NOT NULL,
    running integer NOT NULL,
    PRIMARY KEY (key),
    CONSTRAINT concurrency_slot_is_natural CHECK (running >= 0)
) WITH (
    -- Each claim and each settlement of limited jobs updates its row: with a page nearly to itself, in place (HOT).
    fillfactor = 10,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);
COMMENT ON TABLE  concurrency_slot         IS 'Running jobs counted by limit. Claims add and settlements subtract in their own transactions; the row lock makes limits exact.';
COMMENT ON COLUMN concurrency_slot.key     IS 'What is counted: the limit''s kind and per, then the tenant or the tenant and group.';
COMMENT ON COLUMN concurrency_slot.running IS 'Jobs that run now and counted here when they were claimed.';

CREATE TYPE job_stream AS (priority smallint, tenant uuid, kind text, concurrency_group text, since timestamptz);
COMMENT ON TYPE job_stream IS 'A stream of a queue, and the time of its oldest job that can be claimed.';

-- The key under which a job counts in a limit.
CREATE FUNCTION concurrency_key(p_limit concurrency_limit, p_tenant uuid, p_group text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_limit.per || '/' || p_limit.kind
    || CASE p_limit.per WHEN 'fleet' THEN '' WHEN 'tenant' THEN '/' || p_tenant ELSE '/' || p_tenant || '/' || p_group END;
COMMENT ON FUNCTION concurrency_key(concurrency_limit, uuid, text) IS 'The key of concurrency_slot under which jobs of a tenant and group count in a limit.';

-- The limits of a stream. A tenant's own limit goes before the one for every tenant.
CREATE FUNCTION stream_limits(p_tenant uuid, p_kind text, p_group text)
RETURNS TABLE (key text, per text, max_running integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT DISTINCT ON (l.kind, l.per) concurrency_key(l, p_tenant, p_group), l.per, l.max_running
      FROM concurrency_limit l
     WHERE l.kind IN ('', p_kind)
       AND CASE l.per
             WHEN 'fleet'  THEN true
             WHEN 'tenant' THEN p_tenant <> '00000000-0000-0000-0000-000000000000'
                            AND l.tenant IN (p_tenant, '00000000-0000-0000-0000-000000000000')
             ELSE p_group <> '' END
     ORDER BY l.kind, l.per, l.tenant DESC;
END;
COMMENT ON FUNCTION stream_limits(uuid, text, text) IS 'The limits under which jobs of a stream run, with the keys of their counters.';

-- The streams of a queue that have something to claim, by priority; within a priority tenant by tenant, beginning after
-- p_after.tenant and going round, and within a tenant beginning after p_after's kind and group. At most p_limit streams, and of one tenant
-- no more than 64, so that one with thousands of groups does not keep the others out; the next claim begins elsewhere.
CREATE FUNCTION queue_streams(p_queue text, p_limit integer, p_after job_stream, p_limited boolean)
RETURNS job_stream[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
    c_platform     constant uuid := '00000000-0000-0000-0000-000000000000';
    c_of_a_tenant  constant integer := 64;
    v_streams        job_stream[] := '{}';
    v_priority     smallint := -1;
    v_tenant       uuid;
    v_kind         text;
    v_group        text;
    v_since        timestamptz;
    v_round        boolean; -- whether the walk over tenants has come round to the first one
    v_again        boolean; -- the same of the walk within a tenant
    v_found        integer;
BEGIN
    LOOP
        SELECT j.priority INTO v_priority FROM job j
         WHERE j.queue = p_queue AND j.priority > v_priority
         ORDER BY j.priority LIMIT 1;
        EXIT WHEN NOT FOUND;

        v_tenant := p_after.tenant;
        v_round  := false;
        LOOP
            IF v_round THEN
                SELECT j.tenant INTO v_tenant FROM job j
                 WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant > v_tenant AND j.tenant <= p_after.tenant
                 ORDER BY j.tenant LIMIT 1;
                EXIT WHEN NOT FOUND;
            ELSE
                SELECT j.tenant INTO v_tenant FROM job j
                 WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant > v_tenant
                 ORDER BY j.tenant LIMIT 1;
                IF NOT FOUND THEN
                    v_round  := true;
                    v_tenant := c_platform;
                    -- The platform comes first of all and is not after itself.
                    PERFORM 1 FROM job j
                      WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant = c_platform LIMIT 1;
                    CONTINUE WHEN NOT FOUND;
                END IF;
            END IF;

            v_kind  := p_after.kind;
            v_group := p_after.concurrency_group;
            v_again := false;
            v_found := 0;
            LOOP
                IF v_again THEN
                    SELECT j.kind, j.concurrency_group INTO v_kind, v_group FROM job j
                     WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant = v_tenant
                       AND (j.kind, j.concurrency_group) > (v_kind, v_group)
                       AND (j.kind, j.concurrency_group) <= (p_after.kind, p_after.concurrency_group)
                     ORDER BY j.kind, j.concurrency_group LIMIT 1;
                    EXIT WHEN NOT FOUND;
                ELSE
                    SELECT j.kind, j.concurrency_group INTO v_kind, v_group FROM job j
                     WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant = v_tenant
                       AND (j.kind, j.concurrency_group) > (v_kind, v_group)
                     ORDER BY j.kind, j.concurrency_group LIMIT 1;
                    IF NOT FOUND THEN
                        EXIT WHEN p_after.kind = '';
                        v_again := true;
                        v_kind  := '';
                        v_group := '';
                        CONTINUE;
                    END IF;
                END IF;
                -- Full streams are passed over before they are looked into: their backlog costs nobody anything.
                CONTINUE WHEN p_limited AND EXISTS (
                    SELECT 1 FROM stream_limits(v_tenant, v_kind, v_group) l
                      LEFT JOIN concurrency_slot s ON s.key = l.key
                     WHERE coalesce(s.running, 0) >= l.max_running);
                SELECT j.run_at INTO v_since FROM job j
                 WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant = v_tenant
                   AND j.kind = v_kind AND j.concurrency_group = v_group AND j.run_at <= now() AND j.claimed_by IS NULL
                 ORDER BY j.run_at LIMIT 1;
                CONTINUE WHEN NOT FOUND;
                v_streams := v_streams || (v_priority, v_tenant, v_kind, v_group, v_since)::job_stream;
                v_found := v_found + 1;
                IF cardinality(v_streams) >= p_limit THEN
                    RETURN v_streams;
                END IF;
                EXIT WHEN v_found >= c_of_a_tenant;
            END LOOP;
        END LOOP;
    END LOOP;
    RETURN v_streams;
END $$;
COMMENT ON FUNCTION queue_streams(text, integer, job_stream, boolean) IS
    'Streams of a queue with claimable jobs that no limit holds back, in the order in which a claim serves them.';

-- Claims up to p_limit ready jobs of a queue: by priority, within a priority an equal share for each tenant, within a tenant
-- an equal share for each of its streams; what one does not use goes to the others. Limits on running jobs hold exactly: the counters of
-- all limits concerned are locked, in the order of their keys, before anything is claimed.
--
-- p_streams are streams to claim from and the time in each from which to look, as an earlier claim left them. Without them all
-- streams are walked. The walk costs more the more dead index entries stand before the work, which an old snapshot
-- keeps from being removed; its duration is in the answer, so that the caller can choose how often to pay for it. Where there
-- was nothing to claim, the answer is one row whose id is nil.
--
-- A function, because fairness takes a few dependent probes of one index and a round trip for each would cost more
-- than the claim; and because SET keeps the plan on that index behind any pooler, whatever the statistics say of a
-- table that is empty one moment and full the next.
DROP FUNCTION queue_claim(uuid, text, integer, uuid);
CREATE FUNCTION queue_claim(p_worker uuid, p_queue text, p_limit integer, p_after job_stream, p_streams job_stream[])
RETURNS TABLE (id uuid, tenant uuid, kind text, concurrency_group text, priority smallint, run_at timestamptz,
               claim_no integer, attempt smallint, max_attempts smallint, payload text, request_id text,
               trace_parent text, has_trail boolean, walked_us integer)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    c_max_streams constant integer := 1000;
    c_nothing     constant uuid := '00000000-0000-0000-0000-000000000000';
    v_left      integer := p_limit;
    v_streams   job_stream[] := p_streams;
    v_hungry    job_stream[];
    v_stream    record;
    v_priority  smallint;
    v_tenant    uuid;
    v_tenants   bigint;
    v_take      integer;
    v_got       integer;
    v_limited   boolean;
    v_slots     text[];
    v_started   timestamptz := clock_timestamp();
    v_walked    integer := 0;
BEGIN
    -- The lease: a rescuer deletes this row before it takes the jobs, and waits for claims that hold it.
    PERFORM 1 FROM worker w WHERE w.id = p_worker FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'worker % holds no lease', p_worker USING ERRCODE = 'PQ001';
    END IF;
    IF EXISTS (SELECT 1 FROM queue_control q WHERE q.queue = p_queue AND q.paused_at IS NOT NULL) THEN
        RETURN;
    END IF;

    v_limited := EXISTS (SELECT 1 FROM concurrency_limit);
    IF v_streams IS NULL THEN
        v_streams := queue_streams(p_queue, least(p_limit, c_max_streams), p_after, v_limited);
        v_walked  := extract(epoch FROM clock_timestamp() - v_started) * 1000000;
    END IF;
    IF v_limited THEN
        INSERT INTO concurrency_slot AS s (key, running)
        SELECT DISTINCT l.key, 0 FROM unnest(v_streams) x, stream_limits(x.tenant, x.kind, x.concurrency_group) l ORDER BY 1
        ON CONFLICT DO NOTHING;
        PERFORM 1 FROM concurrency_slot s
          WHERE s.key IN (SELECT l.key FROM unnest(v_streams) x, stream_limits(x.tenant, x.kind, x.concurrency_group) l)
          ORDER BY s.key FOR UPDATE;
    END IF;

    WHILE v_left > 0 AND cardinality(v_streams) > 0 LOOP
        v_priority := (SELECT min(x.priority) FROM unnest(v_streams) x);
        v_hungry   := '{}';
        v_tenant   := NULL;
        FOR v_stream IN
            SELECT x.*, t.tenants, min(x.nr) OVER (PARTITION BY x.tenant) AS turn,
                   1 + count(*) OVER (PARTITION BY x.tenant) - row_number() OVER (PARTITION BY x.tenant ORDER BY x.nr) AS siblings
              FROM unnest(v_streams) WITH ORDINALITY AS x(priority, tenant, kind, concurrency_group, since, nr),
                   (SELECT count(DISTINCT y.tenant) AS tenants FROM unnest(v_streams) y WHERE y.priority = v_priority) t
             WHERE x.priority = v_priority
             ORDER BY turn, x.nr
        LOOP
            EXIT WHEN v_left <= 0;
            -- Whoever comes now shares what is left with the tenants that come after, and with its own streams that do.
            IF v_tenant IS NULL THEN
                v_tenants := v_stream.tenants;
            ELSIF v_tenant <> v_stream.tenant THEN
                v_tenants := v_tenants - 1;
            END IF;
            v_tenant := v_stream.tenant;
            v_take   := greatest(1, v_left / (v_stream.siblings * v_tenants));
            IF v_limited THEN
                SELECT array_agg(l.key), least(v_take, min(least(r.room, greatest(1, r.room / CASE l.per
                           WHEN 'fleet' THEN v_stream.siblings * v_tenants WHEN 'tenant' THEN v_stream.siblings ELSE 1 END))))
                  INTO v_slots, v_take
                  FROM stream_limits(v_stream.tenant, v_stream.kind, v_stream.concurrency_group) l
                  LEFT JOIN concurrency_slot s ON s.key = l.key,
                       LATERAL (SELECT coalesce(l.max_running - s.running, 0) AS room) r;
                CONTINUE WHEN v_take <= 0;
            END IF;
            RETURN QUERY
            WITH picked AS MATERIALIZED (
                SELECT j.ctid AS tid FROM job j
                 WHERE j.queue = p_queue AND j.priority = v_priority AND j.tenant = v_stream.tenant AND j.kind = v_stream.kind
                   AND j.concurrency_group = v_stream.concurrency_group
                   AND j.run_at BETWEEN v_stream.since AND now() AND j.claimed_by IS NULL
                 ORDER BY j.run_at
                 LIMIT v_take
                 FOR UPDATE SKIP LOCKED)
            UPDATE job j
               SET claimed_by = p_worker, claimed_at = now(), claim_no = j.claim_no + 1, attempt = j.attempt + 1,
                   slots = v_slots
              FROM picked
             WHERE j.ctid = picked.tid
            RETURNING j.id, j.tenant, j.kind, j.concurrency_group, j.priority, j.run_at, j.claim_no, j.attempt,
                      j.max_attempts, j.payload, j.request_id, j.trace_parent,
                      j.attempt > 1 OR j.outcome_ttl_s > 0 OR j.replay_of IS NOT NULL OR v_slots IS NOT NULL, v_walked;
            GET DIAGNOSTICS v_got = ROW_COUNT;
            v_left := v_left - v_got;
            IF v_slots IS NOT NULL AND v_got > 0 THEN
                UPDATE concurrency_slot s SET running = s.running + v_got WHERE s.key = ANY (v_slots);
            END IF;
            IF v_got >= v_take THEN
                v_hungry := v_hungry
                    || (v_priority, v_stream.tenant, v_stream.kind, v_stream.concurrency_group, v_stream.since)::job_stream;
            END IF;
        END LOOP;
        v_streams := v_hungry || ARRAY(SELECT (x.priority, x.tenant, x.kind, x.concurrency_group, x.since)::job_stream
                                       FROM unnest(v_streams) x WHERE x.priority > v_priority);
    END LOOP;
    IF v_left = p_limit THEN
        RETURN QUERY SELECT c_nothing, c_nothing, '', '', 0::smallint, now(), 0, 0::smallint, 0::smallint, '', NULL::text,
                            NULL::text, false, v_walked;
    END IF;
END $$;
COMMENT ON FUNCTION queue_claim(uuid, text, integer, job_stream, job_stream[]) IS
    'Claims ready jobs of a queue for a worker, fairly and within limits. Fails with PQ001 when the worker holds no lease.';

-- Takes jobs that do not run any more out of the counters of their limits: each key once for each job.
CREATE FUNCTION concurrency_free(p_keys text[])
RETURNS void
LANGUAGE sql
BEGIN ATOMIC
    WITH freed AS MATERIALIZED (SELECT key, count(*) AS jobs FROM unnest(p_keys) AS key GROUP BY key),
         locked AS MATERIALIZED (
             SELECT s.key FROM concurrency_slot s WHERE s.key IN (SELECT key FROM freed) ORDER BY s.key FOR UPDATE)
    UPDATE concurrency_slot s SET running = s.running - freed.jobs
      FROM freed JOIN locked USING (key) WHERE s.key = freed.key;
END;
COMMENT ON FUNCTION concurrency_free(text[]) IS 'Subtracts jobs that ended or went back from the counters in which they were counted, in the order of the keys.';
