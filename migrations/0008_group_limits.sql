-- Limits of single concurrency groups: how many of a group's jobs run at once, and how fast they start. A webhook endpoint is
-- such a group; its owner pauses it by a limit of 0, and its receiver holds it up by saying "not before".

CREATE TABLE group_limit (
    queue             text             NOT NULL,
    kind              text             NOT NULL,
    tenant            uuid             NOT NULL,
    concurrency_group text             NOT NULL,
    max_running       integer          NOT NULL,
    rate              double precision,
    next_at           timestamptz      NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (kind, tenant, concurrency_group),
    CONSTRAINT group_limit_is_natural CHECK (max_running >= 0),
    CONSTRAINT group_limit_rate_is_positive CHECK (rate > 0),
    CONSTRAINT group_limit_of_a_group CHECK (concurrency_group <> '')
) WITH (fillfactor = 50);
-- Whether a queue has any, and when the next group may go on.
CREATE INDEX group_limit_pace ON group_limit (queue, next_at);
COMMENT ON TABLE  group_limit                   IS 'The limits of one concurrency group. What operators limit for every group of a kind (concurrency_limit) holds beside them.';
COMMENT ON COLUMN group_limit.queue             IS 'The kind''s queue: claims from queues without such limits do not pay for them.';
COMMENT ON COLUMN group_limit.kind              IS 'The kind.';
COMMENT ON COLUMN group_limit.tenant            IS 'Whose group it is.';
COMMENT ON COLUMN group_limit.concurrency_group IS 'The group.';
COMMENT ON COLUMN group_limit.max_running       IS 'So many of its jobs at once; 0 stops them.';
COMMENT ON COLUMN group_limit.rate              IS 'So many of its jobs start in a second, up to a second''s worth at once; null: any number.';
COMMENT ON COLUMN group_limit.next_at           IS 'None starts before this time. The rate moves it forward (the theoretical arrival time of GCRA); so does a receiver that asks for a pause.';

-- For how long a group with nothing to do saves up its rate: with the job that may start anyway, a second's worth.
CREATE FUNCTION pace_burst(p_rate double precision)
RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(1 - 1 / p_rate, 0) * interval '1 second';
COMMENT ON FUNCTION pace_burst(double precision) IS 'How far behind now the next_at of a group with this rate may lag.';

-- How many jobs a pace allows now; null: any number.
CREATE FUNCTION paced_room(p_rate double precision, p_next_at timestamptz)
RETURNS integer
LANGUAGE sql STABLE
RETURN CASE WHEN p_next_at > now() THEN 0
            WHEN p_rate IS NULL THEN NULL
            ELSE 1 + floor(p_rate * extract(epoch FROM now() - greatest(p_next_at, now() - pace_burst(p_rate)))::double precision)
       END::integer;
COMMENT ON FUNCTION paced_room(double precision, timestamptz) IS 'How many jobs of a group with this rate and next_at may start now; null: any number.';

-- The limits of a stream. A tenant's own limit goes before the one for every tenant; of a group's own and the one for every
-- group the lesser holds, and both count in the same place.
DROP FUNCTION stream_limits(uuid, text, text);
CREATE FUNCTION stream_limits(p_tenant uuid, p_kind text, p_group text)
RETURNS TABLE (key text, per text, max_running integer, paced integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH own AS MATERIALIZED (
        SELECT g.max_running, paced_room(g.rate, g.next_at) AS paced FROM group_limit g
         WHERE g.kind = p_kind AND g.tenant = p_tenant AND g.concurrency_group = p_group)
    (SELECT DISTINCT ON (l.kind, l.per) concurrency_key(l, p_tenant, p_group), l.per, l.max_running, NULL::integer
       FROM concurrency_limit l
      WHERE l.kind IN ('', p_kind)
        AND CASE l.per
              WHEN 'fleet'  THEN true
              WHEN 'tenant' THEN p_tenant <> '00000000-0000-0000-0000-000000000000'
                             AND l.tenant IN (p_tenant, '00000000-0000-0000-0000-000000000000')
              ELSE p_group <> '' AND (l.kind = '' OR NOT EXISTS (SELECT FROM own)) END
      ORDER BY l.kind, l.per, l.tenant DESC)
    UNION ALL
    SELECT 'group/' || p_kind || '/' || p_tenant::text || '/' || p_group, 'group',
           least(own.max_running, (SELECT l.max_running FROM concurrency_limit l
                                    WHERE l.kind = p_kind AND l.per = 'group'
                                      AND l.tenant = '00000000-0000-0000-0000-000000000000')),
           own.paced
      FROM own;
END;
COMMENT ON FUNCTION stream_limits(uuid, text, text) IS 'The limits under which jobs of a stream run, with the keys of their counters and what their pace allows now.';

-- As before, but for streams whose pace allows nothing now.
CREATE OR REPLACE FUNCTION queue_streams(p_queue text, p_limit integer, p_after job_stream, p_limited boolean)
RETURNS job_stream[]
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
SET plan_cache_mode = force_generic_plan
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
                     WHERE coalesce(s.running, 0) >= l.max_running OR l.paced <= 0);
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
-- As before, but for what is said of groups. The last row, whose id is nil, also says when a group may go on that its pace holds
-- up; older workers pass over it.
DROP FUNCTION queue_claim(uuid, text, integer, job_stream, job_stream[]);
CREATE FUNCTION queue_claim(p_worker uuid, p_queue text, p_limit integer, p_after job_stream, p_streams job_stream[])
RETURNS TABLE (id uuid, tenant uuid, kind text, concurrency_group text, priority smallint, run_at timestamptz,
               claim_no integer, attempt smallint, max_attempts smallint, payload text, request_id text,
               trace_parent text, has_trail boolean, walked_us integer, next_in_us integer)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    c_max_streams constant integer := 1000;
    c_few         constant integer := 16;
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
    v_grouped   boolean; -- whether single groups of the queue have limits
    v_limited   boolean;
    v_next_in   integer; -- until a group may go on that is held up by its pace
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

    v_grouped := EXISTS (SELECT 1 FROM group_limit g WHERE g.queue = p_queue);
    v_limited := v_grouped OR EXISTS (SELECT 1 FROM concurrency_limit);
    IF v_streams IS NULL THEN
        -- Where there are limits, all of the few: the first ones may be full.
        v_streams := few_streams(p_queue, CASE WHEN v_limited THEN c_few ELSE p_limit END, p_after);
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
                       LATERAL (SELECT least(coalesce(l.max_running - s.running, 0), l.paced) AS room) r;
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
                      j.attempt > 1 OR j.outcome_ttl_s > 0 OR j.replay_of IS NOT NULL OR v_slots IS NOT NULL, v_walked,
                      NULL::integer;
            GET DIAGNOSTICS v_got = ROW_COUNT;
            v_left := v_left - v_got;
            IF v_slots IS NOT NULL AND v_got > 0 THEN
                UPDATE concurrency_slot s SET running = s.running + v_got WHERE s.key = ANY (v_slots);
                IF v_grouped THEN
                    UPDATE group_limit g
                       SET next_at = greatest(g.next_at, now() - pace_burst(g.rate)) + v_got / g.rate * interval '1 second'
                     WHERE g.kind = v_stream.kind AND g.tenant = v_stream.tenant
                       AND g.concurrency_group = v_stream.concurrency_group AND g.rate IS NOT NULL;
                END IF;
            END IF;
            IF v_got >= v_take THEN
                v_hungry := v_hungry
                    || (v_priority, v_stream.tenant, v_stream.kind, v_stream.concurrency_group, v_stream.since)::job_stream;
            END IF;
        END LOOP;
        v_streams := v_hungry || ARRAY(SELECT (x.priority, x.tenant, x.kind, x.concurrency_group, x.since)::job_stream
                                       FROM unnest(v_streams) x WHERE x.priority > v_priority);
    END LOOP;
    IF v_grouped THEN
        SELECT least(extract(epoch FROM min(g.next_at) - now()) * 1000000, 2000000000)::integer INTO v_next_in
          FROM group_limit g WHERE g.queue = p_queue AND g.next_at > now();
    END IF;
    IF v_left = p_limit THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    IF v_left = p_limit OR v_next_in IS NOT NULL THEN
        RETURN QUERY SELECT c_nothing, c_nothing, '', '', 0::smallint, now(), 0, 0::smallint, 0::smallint, '', NULL::text,
                            NULL::text, false, v_walked, v_next_in;
    END IF;
END $$;
COMMENT ON FUNCTION queue_claim(uuid, text, integer, job_stream, job_stream[]) IS
    'Claims ready jobs of a queue for a worker, fairly and within limits. Fails with PQ001 when the worker holds no lease.';
