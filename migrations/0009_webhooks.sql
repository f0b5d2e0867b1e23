-- Outbound webhooks: who is told of events, what is sent to whom, and every attempt at it. The events themselves are in
-- 0001_foundation.sql; a delivery is carried out by a job of the kind deliver_webhook.

ALTER TABLE event ADD COLUMN cloud_account_id uuid;
COMMENT ON COLUMN event.cloud_account_id IS 'The cloud account that it is about; null where it is about none. Endpoints may ask for some accounts only.';
-- Replays walk an organisation's events in this order.
DROP INDEX event_org_idx;
CREATE INDEX event_org_idx ON event (org_id, occurred_at, id);

CREATE TABLE webhook_endpoint (
    id                uuid        PRIMARY KEY,
    org_id            uuid        NOT NULL REFERENCES org (id),
    url               text        NOT NULL CHECK (length(url) BETWEEN 1 AND 1024),
    description       text        NOT NULL CHECK (length(description) <= 500),
    events            text[]      NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 10),
    cloud_account_ids uuid[]      NOT NULL CHECK (cardinality(cloud_account_ids) <= 100),
    header_names      text[]      NOT NULL,
    headers           bytea,
    secret            bytea       NOT NULL,
    secret_prefix     text        NOT NULL,
    previous_secret   bytea,
    previous_secret_expires_at timestamptz,
    max_in_flight     integer     NOT NULL CHECK (max_in_flight BETWEEN 1 AND 100),
    rate              double precision CHECK (rate BETWEEN 0.1 AND 1000),
    paused_at         timestamptz,
    disabled_at       timestamptz,
    disabled_reason   text,
    consecutive_failures integer  NOT NULL DEFAULT 0,
    failed_deliveries integer     NOT NULL DEFAULT 0,
    failing_since     timestamptz,
    last_success_at   timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    deleted_at        timestamptz,
    CONSTRAINT webhook_endpoint_previous_secret_is_whole CHECK ((previous_secret IS NULL) = (previous_secret_expires_at IS NULL)),
    CONSTRAINT webhook_endpoint_disabled_says_why CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CONSTRAINT webhook_endpoint_headers_are_whole CHECK ((headers IS NULL) = (header_names = '{}'))
) WITH (fillfactor = 50);
CREATE INDEX webhook_endpoint_org_idx ON webhook_endpoint (org_id, id DESC) WHERE deleted_at IS NULL;
COMMENT ON TABLE  webhook_endpoint IS 'Addresses to which an organisation''s events are sent.';
COMMENT ON COLUMN webhook_endpoint.id IS 'UUID v7. Also the concurrency group of its deliveries: its limits are a row of group_limit.';
COMMENT ON COLUMN webhook_endpoint.org_id IS 'The organisation.';
COMMENT ON COLUMN webhook_endpoint.url IS 'Where to; checked when it is saved and again at every connection.';
COMMENT ON COLUMN webhook_endpoint.description IS 'What it is for; may be empty.';
COMMENT ON COLUMN webhook_endpoint.events IS 'Types of events, exact or as drift.*.';
COMMENT ON COLUMN webhook_endpoint.cloud_account_ids IS 'Only events about these accounts, or about none; empty: all.';
COMMENT ON COLUMN webhook_endpoint.header_names IS 'Names of the headers that its owner adds.';
COMMENT ON COLUMN webhook_endpoint.headers IS 'Those headers with their values, sealed: a value may be a credential.';
COMMENT ON COLUMN webhook_endpoint.secret IS 'What signs, sealed.';
COMMENT ON COLUMN webhook_endpoint.secret_prefix IS 'The beginning of the secret, which stays visible.';
COMMENT ON COLUMN webhook_endpoint.previous_secret IS 'What signed before the last rotation, sealed.';
COMMENT ON COLUMN webhook_endpoint.previous_secret_expires_at IS 'Until when that signs, too.';
COMMENT ON COLUMN webhook_endpoint.max_in_flight IS 'Deliveries at once; while it keeps failing, one.';
COMMENT ON COLUMN webhook_endpoint.rate IS 'Deliveries that begin in a second at most; null: any number.';
COMMENT ON COLUMN webhook_endpoint.paused_at IS 'Since when its owner holds its deliveries back.';
COMMENT ON COLUMN webhook_endpoint.disabled_at IS 'Since when nothing is sent to it because it failed for too long or said that it is gone.';
COMMENT ON COLUMN webhook_endpoint.disabled_reason IS 'Why, for a person.';
COMMENT ON COLUMN webhook_endpoint.consecutive_failures IS 'Failed attempts since the last success.';
COMMENT ON COLUMN webhook_endpoint.failed_deliveries IS 'Deliveries whose first attempt failed since the last success.';
COMMENT ON COLUMN webhook_endpoint.failing_since IS 'The first failure since the last success.';
COMMENT ON COLUMN webhook_endpoint.last_success_at IS 'The last success, to the minute.';
COMMENT ON COLUMN webhook_endpoint.created_at IS 'When it was created.';
COMMENT ON COLUMN webhook_endpoint.updated_at IS 'Last change by a person.';
COMMENT ON COLUMN webhook_endpoint.deleted_at IS 'When it was deleted; its deliveries stay readable.';

-- No foreign keys from here on: deliveries are many, and retention deletes them with what they belong to.
CREATE TABLE webhook_delivery (
    id              uuid        PRIMARY KEY,
    org_id          uuid        NOT NULL,
    endpoint_id     uuid        NOT NULL,
    event_id        uuid        NOT NULL,
    event_type      text        NOT NULL,
    trigger         text        NOT NULL CHECK (trigger IN ('event', 'replay', 'test')),
    state           text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'failed', 'delivered', 'dlq')),
    attempts        smallint    NOT NULL DEFAULT 0,
    logged          integer     NOT NULL DEFAULT 0,
    job_id          uuid        NOT NULL,
    next_attempt_at timestamptz DEFAULT now(),
    cancelled_because text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    delivered_at    timestamptz,
    CONSTRAINT webhook_delivery_event_key UNIQUE (endpoint_id, event_id),
    CONSTRAINT webhook_delivery_ended_waits_for_nothing CHECK (state IN ('pending', 'failed') OR next_attempt_at IS NULL),
    CONSTRAINT webhook_delivery_delivered_says_when CHECK (state <> 'delivered' OR delivered_at IS NOT NULL)
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX webhook_delivery_state_idx ON webhook_delivery (endpoint_id, state, event_id);
CREATE INDEX webhook_delivery_type_idx ON webhook_delivery (endpoint_id, event_type, event_id);
CREATE INDEX webhook_delivery_open_idx ON webhook_delivery (endpoint_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
COMMENT ON TABLE  webhook_delivery IS 'An event for an endpoint. Whether it is in flight is what its job says: nobody writes it, so nobody can forget to.';
COMMENT ON COLUMN webhook_delivery.id IS 'UUID v7.';
COMMENT ON COLUMN webhook_delivery.org_id IS 'The organisation.';
COMMENT ON COLUMN webhook_delivery.endpoint_id IS 'To whom.';
COMMENT ON COLUMN webhook_delivery.event_id IS 'What; lists are in its order, which is that of time.';
COMMENT ON COLUMN webhook_delivery.event_type IS 'The event''s type, for filters.';
COMMENT ON COLUMN webhook_delivery.trigger IS 'Why the first attempt since its creation or its last replay is made.';
COMMENT ON COLUMN webhook_delivery.state IS 'pending: not tried yet. failed: the last attempt failed, the next one is planned, or it was cancelled. delivered. dlq: given up, its job is dead.';
COMMENT ON COLUMN webhook_delivery.attempts IS 'Attempts since its creation or its last replay.';
COMMENT ON COLUMN webhook_delivery.logged IS 'Attempts of all times: rows of webhook_attempt.';
COMMENT ON COLUMN webhook_delivery.job_id IS 'The job that carries it out, or did last.';
COMMENT ON COLUMN webhook_delivery.next_attempt_at IS 'When the next attempt is due; null when none is.';
COMMENT ON COLUMN webhook_delivery.cancelled_because IS 'Why it ended without being sent or given up.';
COMMENT ON COLUMN webhook_delivery.created_at IS 'When it was created.';
COMMENT ON COLUMN webhook_delivery.delivered_at IS 'When the receiver took it; null again while it is replayed.';

CREATE TABLE webhook_attempt (
    delivery_id      uuid        NOT NULL,
    number           integer     NOT NULL,
    org_id           uuid        NOT NULL,
    trigger          text        NOT NULL CHECK (trigger IN ('event', 'retry', 'replay', 'test')),
    started_at       timestamptz,
    duration_ms      integer,
    response_status  smallint,
    error_class      text,
    error            text,
    response_excerpt text        CHECK (octet_length(response_excerpt) <= 4096),
    PRIMARY KEY (delivery_id, number)
);
COMMENT ON TABLE  webhook_attempt IS 'Every attempt at a delivery, as it went.';
COMMENT ON COLUMN webhook_attempt.delivery_id IS 'The delivery.';
COMMENT ON COLUMN webhook_attempt.number IS 'From 1, over all replays.';
COMMENT ON COLUMN webhook_attempt.org_id IS 'The organisation.';
COMMENT ON COLUMN webhook_attempt.trigger IS 'Why it was made.';
COMMENT ON COLUMN webhook_attempt.started_at IS 'When it began; null of one whose worker was lost.';
COMMENT ON COLUMN webhook_attempt.duration_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN webhook_attempt.response_status IS 'Status of the answer; null where there was none.';
COMMENT ON COLUMN webhook_attempt.error_class IS 'Stable name of the failure; null of a success.';
COMMENT ON COLUMN webhook_attempt.error IS 'The failure for a person.';
COMMENT ON COLUMN webhook_attempt.response_excerpt IS 'The beginning of the answer''s body.';

CREATE TABLE webhook_replay (
    id          uuid        PRIMARY KEY,
    org_id      uuid        NOT NULL,
    endpoint_id uuid        NOT NULL,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    which       text        NOT NULL CHECK (which IN ('failed', 'all')),
    state       text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'cancelled')),
    reached_at  timestamptz NOT NULL,
    reached_id  uuid        NOT NULL,
    replayed    bigint      NOT NULL DEFAULT 0,
    in_flight   bigint      NOT NULL DEFAULT 0,
    created_by  jsonb       NOT NULL,
    origin      jsonb       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT webhook_replay_is_forward CHECK (since < until),
    CONSTRAINT webhook_replay_ended_says_when CHECK ((finished_at IS NULL) = (state IN ('waiting', 'running')))
);
CREATE INDEX webhook_replay_endpoint_idx ON webhook_replay (endpoint_id, id DESC);
CREATE UNIQUE INDEX webhook_replay_open_key ON webhook_replay (endpoint_id) WHERE finished_at IS NULL;
COMMENT ON TABLE  webhook_replay IS 'A replay of many of an endpoint''s events, and how far it is. One at a time for each endpoint.';
COMMENT ON COLUMN webhook_replay.id IS 'UUID v7.';
COMMENT ON COLUMN webhook_replay.org_id IS 'The organisation.';
COMMENT ON COLUMN webhook_replay.endpoint_id IS 'The endpoint.';
COMMENT ON COLUMN webhook_replay.since IS 'Events from this time on.';
COMMENT ON COLUMN webhook_replay.until IS 'Events before this time.';
COMMENT ON COLUMN webhook_replay.which IS 'failed: deliveries that failed or were given up. all: every event that the endpoint asks for, also those never sent to it.';
COMMENT ON COLUMN webhook_replay.state IS 'waiting, running, done or cancelled.';
COMMENT ON COLUMN webhook_replay.reached_at IS 'With reached_id the last event that was looked at.';
COMMENT ON COLUMN webhook_replay.reached_id IS 'See reached_at.';
COMMENT ON COLUMN webhook_replay.replayed IS 'Deliveries that are sent again through it.';
COMMENT ON COLUMN webhook_replay.in_flight IS 'Deliveries that it passed over because they were being sent just then.';
COMMENT ON COLUMN webhook_replay.created_by IS 'Who asked for it.';
COMMENT ON COLUMN webhook_replay.origin IS 'From where.';
COMMENT ON COLUMN webhook_replay.created_at IS 'When.';
COMMENT ON COLUMN webhook_replay.finished_at IS 'When it was through, or cancelled.';
