-- What operators see of the queue, without counting the hot table on a request's path: what became of jobs, by the
-- minute, from counters that workers flush; and a census of what waits, taken now and then by one process.

CREATE TABLE queue_minute (
    minute        timestamptz NOT NULL,
    queue         text        NOT NULL,
    kind          text        NOT NULL,
    verdict       text        NOT NULL,
    jobs          bigint      NOT NULL,
    ran_us        bigint      NOT NULL,
    ran_max_us    bigint      NOT NULL,
    waited_us     bigint      NOT NULL,
    waited_max_us bigint      NOT NULL,
    PRIMARY KEY (minute, queue, kind, verdict)
) WITH (fillfactor = 50);
COMMENT ON TABLE  queue_minute               IS 'Attempts that ended, by the minute; every worker process adds its own every few seconds. Kept for a day. Half-filled pages keep the updates HOT.';
COMMENT ON COLUMN queue_minute.minute        IS 'Beginning of the minute in which the workers told, by the database''s clock.';
COMMENT ON COLUMN queue_minute.queue         IS 'The queue.';
COMMENT ON COLUMN queue_minute.kind          IS 'The kind.';
COMMENT ON COLUMN queue_minute.verdict       IS 'How the attempts ended: done, retry, snooze, dead, cancelled and so on, see jobs::queue::Verdict.';
COMMENT ON COLUMN queue_minute.jobs          IS 'How many attempts.';
COMMENT ON COLUMN queue_minute.ran_us        IS 'How long they ran, together, in microseconds.';
COMMENT ON COLUMN queue_minute.ran_max_us    IS 'How long the longest ran, in microseconds.';
COMMENT ON COLUMN queue_minute.waited_us     IS 'How long they had been ready before they started, together, in microseconds.';
COMMENT ON COLUMN queue_minute.waited_max_us IS 'How long the one that waited longest had, in microseconds.';

CREATE TABLE queue_census (
    queue           text   NOT NULL,
    kind            text   NOT NULL,
    ready           bigint NOT NULL,
    scheduled       bigint NOT NULL,
    running         bigint NOT NULL,
    dead            bigint NOT NULL,
    oldest_ready_at timestamptz,
    PRIMARY KEY (queue, kind)
);
COMMENT ON TABLE  queue_census                 IS 'What there was in each queue when somebody counted last; queue_census_turn says when. No row: nothing.';
COMMENT ON COLUMN queue_census.queue           IS 'The queue.';
COMMENT ON COLUMN queue_census.kind            IS 'The kind.';
COMMENT ON COLUMN queue_census.ready           IS 'Jobs that wait and might run.';
COMMENT ON COLUMN queue_census.scheduled       IS 'Jobs that wait for their time.';
COMMENT ON COLUMN queue_census.running         IS 'Jobs in the hands of a worker.';
COMMENT ON COLUMN queue_census.dead            IS 'Dead letters.';
COMMENT ON COLUMN queue_census.oldest_ready_at IS 'Since when the job that is ready for longest is; null where none is.';

CREATE TABLE queue_census_turn (
    only_row    boolean NOT NULL DEFAULT true,
    turn        bigint  NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT now(),
    measured_at timestamptz,
    took_ms     double precision,
    PRIMARY KEY (only_row),
    CONSTRAINT queue_census_turn_is_one CHECK (only_row)
);
COMMENT ON TABLE  queue_census_turn             IS 'Whose turn it is to count: one row, taken by whoever comes first when it is due.';
COMMENT ON COLUMN queue_census_turn.only_row    IS 'There is one row.';
COMMENT ON COLUMN queue_census_turn.turn        IS 'Number of the last turn; fences off a process whose turn was given away.';
COMMENT ON COLUMN queue_census_turn.next_at     IS 'Not counted again before; while somebody counts, when another may, should that process have died.';
COMMENT ON COLUMN queue_census_turn.measured_at IS 'When the census that is stored was begun; null before the first.';
COMMENT ON COLUMN queue_census_turn.took_ms     IS 'How long it took, in milliseconds.';
INSERT INTO queue_census_turn DEFAULT VALUES;

ALTER TABLE operator_key ADD COLUMN last_used_at timestamptz;
COMMENT ON COLUMN operator_key.last_used_at IS 'When it was used last, to about a minute.';
