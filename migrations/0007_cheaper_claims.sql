-- Claims that cost less, limited ones above all.
--
-- One that takes nothing does not wait for the disk. It locks the worker's row and the counters of limits, and a row lock is
-- written to the log: a worker woken for a job that another one has got, or for a limit that is full again, waited for that as long as
-- for a job, with the counters locked, and the next job waited behind it. Only locks are in such a transaction, and perhaps counters that
-- begin at zero: nobody misses them after a crash. (For that a claim must be a transaction of its own.)
--
-- A queue with little in it, as one that keeps up has, is read in one statement instead of ten probes.
--
-- Its statements are planned once a session. They have one index to use, whatever their parameters are, and planning them anew
-- was half of a small claim.

ALTER FUNCTION queue_streams(text, integer, job_stream, boolean) SET plan_cache_mode = force_generic_plan;

-- With casts that do not depend on settings it is what it is declared to be, so that Postgres puts it into the statements that call it.
CREATE OR REPLACE FUNCTION concurrency_key(p_limit concurrency_limit, p_tenant uuid, p_group text)
RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN p_limit.per || '/' || p_limit.kind
    || CASE p_limit.per WHEN 'fleet' THEN '' WHEN 'tenant' THEN '/' || p_tenant::text ELSE '/' || p_tenant::text || '/' || p_group END;

-- What queue_streams finds, of a queue that has few jobs; null of one that has more. Limits are not looked at.
CREATE FUNCTION few_streams(p_queue text, p_limit integer, p_after job_stream)
RETURNS job_stream[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    c_few     constant integer := 16;
    v_jobs    integer;
    v_streams job_stream[];
BEGIN
    WITH few AS MATERIALIZED (
        SELECT j.priority, j.tenant, j.kind, j.concurrency_group, j.run_at,
               j.claimed_by IS NULL AND j.run_at <= now() AS is_ready
          FROM job j WHERE j.queue = p_queue
         ORDER BY j.priority, j.tenant, j.kind, j.concurrency_group, j.run_at
         LIMIT c_few + 1),
    stream AS (
        SELECT f.priority, f.tenant, f.kind, f.concurrency_group, min(f.run_at) AS since
          FROM few f WHERE f.is_ready
         GROUP BY f.priority, f.tenant, f.kind, f.concurrency_group)
    SELECT (SELECT count(*) FROM few),
           array_agg((s.priority, s.tenant, s.kind, s.concurrency_group, s.since)::job_stream
                     ORDER BY s.priority, s.tenant <= p_after.tenant, s.tenant,
                              (s.kind, s.concurrency_group) <= (p_after.kind, p_after.concurrency_group),
                              s.kind, s.concurrency_group)
      INTO v_jobs, v_streams
      FROM stream s;
    IF v_jobs > c_few THEN
        RETURN NULL;
    END IF;
    RETURN coalesce(v_streams[1:p_limit], '{}');
END $$;
COMMENT ON FUNCTION few_streams(text, integer, job_stream) IS
    'Streams of a queue with claimable jobs in the order of queue_streams, if the queue has few jobs; else null.';

-- As before, but for few_streams, plan_cache_mode and synchronous_commit.
CREATE OR REPLACE FUNCTION queue_claim(p_worker uuid, p_queue text, p_limit integer, p_after job_stream, p_streams job_stream[])
RETURNS TABLE (id uuid, tenant uuid, kind text, concurrency_group text, priority smallint, run_at timestamptz,
               claim_no integer, attempt smallint, max_attempts smallint, payload text, request_id text,
               trace_parent text, has_trail boolean, walked_us integer)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
SET plan_cache_mode = force_generic_plan
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
        IF NOT v_limited THEN
            v_streams := few_streams(p_queue, p_limit, p_after);
        END IF;
        v_streams := coalesce(v_streams, queue_streams(p_queue, least(p_limit, c_max_streams), p_after, v_limited));
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
        PERFORM set_config('synchronous_commit', 'off', true);
        RETURN QUERY SELECT c_nothing, c_nothing, '', '', 0::smallint, now(), 0, 0::smallint, 0::smallint, '', NULL::text,
                            NULL::text, false, v_walked;
    END IF;
END $$;
