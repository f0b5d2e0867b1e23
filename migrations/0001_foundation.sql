-- The tables that everything stands on: organisations and who may act for them, requests, the audit chain, events. The
-- queue's own tables are in 0002_queue.sql, what is scanned and compared in 0003_scans.sql.
--
-- Conventions: ids are UUID v7 made by the application (so they sort by time); times are timestamptz and end in _at; words
-- are text with a CHECK that spells them; every tenant's row carries org_id, and every query by a tenant uses it.

-- ---------------------------------------------------------------- organisations and people

CREATE TABLE org (
    id           uuid        PRIMARY KEY,
    slug         text        NOT NULL CONSTRAINT org_slug_key UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    display_name text        NOT NULL CHECK (length(display_name) BETWEEN 1 AND 128),
    plan         text        NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'team', 'enterprise')),
    created_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE  org IS 'A tenant. Locked FOR NO KEY UPDATE while a plan limit is checked, so that two requests cannot both take the last place.';
COMMENT ON COLUMN org.id IS 'UUID v7.';
COMMENT ON COLUMN org.slug IS 'Short unique name for URLs and the command line.';
COMMENT ON COLUMN org.display_name IS 'Name that people see.';
COMMENT ON COLUMN org.plan IS 'Decides limits and features; see jobs::plan.';
COMMENT ON COLUMN org.created_at IS 'When the organisation was created.';

CREATE TABLE app_user (
    id           uuid        PRIMARY KEY,
    issuer       text        NOT NULL,
    subject      text        NOT NULL,
    email        text        NOT NULL,
    display_name text,
    disabled_at  timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT app_user_identity_key UNIQUE (issuer, subject)
);
COMMENT ON TABLE  app_user IS 'A person, known by the identity provider''s issuer and subject; made at first sight of a valid token.';
COMMENT ON COLUMN app_user.id IS 'UUID v7.';
COMMENT ON COLUMN app_user.issuer IS 'iss of the token.';
COMMENT ON COLUMN app_user.subject IS 'sub of the token; stable, unlike the email.';
COMMENT ON COLUMN app_user.email IS 'Last email the issuer gave, lower case.';
COMMENT ON COLUMN app_user.display_name IS 'Name from the token or set by the person.';
COMMENT ON COLUMN app_user.disabled_at IS 'Set when a platform admin switched the person off; every token is then refused.';
COMMENT ON COLUMN app_user.created_at IS 'First sight.';

CREATE TABLE membership (
    id         uuid        PRIMARY KEY,
    org_id     uuid        NOT NULL REFERENCES org (id) ON DELETE CASCADE,
    user_id    uuid        NOT NULL REFERENCES app_user (id) ON DELETE CASCADE,
    role       text        NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT membership_org_user_key UNIQUE (org_id, user_id)
);
CREATE INDEX membership_user_idx ON membership (user_id);
COMMENT ON TABLE  membership IS 'The role a person has in an organisation.';
COMMENT ON COLUMN membership.id IS 'UUID v7.';
COMMENT ON COLUMN membership.org_id IS 'The organisation.';
COMMENT ON COLUMN membership.user_id IS 'The person.';
COMMENT ON COLUMN membership.role IS 'owner, admin, member or viewer.';
COMMENT ON COLUMN membership.created_at IS 'When the role was given first.';

CREATE TABLE api_key (
    id            uuid        PRIMARY KEY,
    org_id        uuid        NOT NULL REFERENCES org (id) ON DELETE CASCADE,
    name          text        NOT NULL CHECK (length(name) BETWEEN 3 AND 128),
    description   text        CHECK (length(description) <= 500),
    environment   text        NOT NULL CHECK (environment IN ('live', 'test')),
    role          text        NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
    scopes        text[]      NOT NULL CHECK (scopes <@ ARRAY['read', 'write'] AND cardinality(scopes) > 0),
    key_prefix    text        NOT NULL,
    key_hash      bytea       NOT NULL CONSTRAINT api_key_hash_key UNIQUE CHECK (length(key_hash) = 32),
    created_by    uuid        REFERENCES app_user (id),
    rotated_from  uuid        REFERENCES api_key (id) ON DELETE SET NULL,
    grace_ends_at timestamptz,
    expires_at    timestamptz,
    revoked_at    timestamptz,
    last_used_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_key_org_idx ON api_key (org_id, created_at DESC, id);
CREATE INDEX api_key_rotated_from_idx ON api_key (rotated_from) WHERE rotated_from IS NOT NULL;
COMMENT ON TABLE  api_key IS 'A machine''s credential for one organisation. Only a hash of the secret is stored.';
COMMENT ON COLUMN api_key.id IS 'UUID v7.';
COMMENT ON COLUMN api_key.org_id IS 'The organisation that the key acts for.';
COMMENT ON COLUMN api_key.name IS 'Name that people see, 3 to 128 characters.';
COMMENT ON COLUMN api_key.description IS 'Up to 500 characters.';
COMMENT ON COLUMN api_key.environment IS 'live or test; stands in the key itself as pl_live_ or pl_test_.';
COMMENT ON COLUMN api_key.role IS 'The most the key may do. Over the API never owner; the command line on the server may give it.';
COMMENT ON COLUMN api_key.scopes IS 'read (GET, HEAD, OPTIONS) and/or write (every method).';
COMMENT ON COLUMN api_key.key_prefix IS 'First 16 characters of the key, which stay visible.';
COMMENT ON COLUMN api_key.key_hash IS 'SHA-256 of the whole key; the key holds enough random bits that no slow hash is needed.';
COMMENT ON COLUMN api_key.created_by IS 'The person who created it; null when the command line or another key did.';
COMMENT ON COLUMN api_key.rotated_from IS 'The key that this one succeeds.';
COMMENT ON COLUMN api_key.grace_ends_at IS 'Set on a key that was rotated: its secret works until then and never again.';
COMMENT ON COLUMN api_key.expires_at IS 'Time limit given at creation; null is none.';
COMMENT ON COLUMN api_key.revoked_at IS 'Set while the key is revoked.';
COMMENT ON COLUMN api_key.last_used_at IS 'Roughly when it was last used; written at most once a minute.';
COMMENT ON COLUMN api_key.created_at IS 'When it was created.';
COMMENT ON COLUMN api_key.updated_at IS 'Last change of its fields.';

CREATE TABLE operator_key (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    key_prefix text        NOT NULL,
    key_hash   bytea       NOT NULL CONSTRAINT operator_key_hash_key UNIQUE CHECK (length(key_hash) = 32),
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE  operator_key IS 'Credential of a platform operator (pl_op_…) for /api/v2/admin and the console.';
COMMENT ON COLUMN operator_key.id IS 'UUID v7.';
COMMENT ON COLUMN operator_key.name IS 'Whose or what for.';
COMMENT ON COLUMN operator_key.key_prefix IS 'First 16 characters, which stay visible.';
COMMENT ON COLUMN operator_key.key_hash IS 'SHA-256 of the whole key.';
COMMENT ON COLUMN operator_key.revoked_at IS 'Set while the key is revoked.';
COMMENT ON COLUMN operator_key.created_at IS 'When it was created.';

-- ---------------------------------------------------------------- requests

CREATE TABLE idempotency_key (
    principal    text        NOT NULL,
    key          text        NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea       NOT NULL CHECK (length(request_hash) = 32),
    attempt_id   uuid        NOT NULL,
    locked_until timestamptz NOT NULL,
    status       smallint,
    headers      jsonb,
    body         bytea,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    PRIMARY KEY (principal, key),
    CHECK ((status IS NULL) = (body IS NULL))
);
CREATE INDEX idempotency_key_expiry_idx ON idempotency_key (expires_at);
COMMENT ON TABLE  idempotency_key IS 'Answers to requests that carried an Idempotency-Key, for 24 hours.';
COMMENT ON COLUMN idempotency_key.principal IS 'Whose key it is: kind and id of the credential''s owner, with the organisation.';
COMMENT ON COLUMN idempotency_key.key IS 'The header''s value.';
COMMENT ON COLUMN idempotency_key.request_hash IS 'SHA-256 over method, path and body; another hash under the same key is an error.';
COMMENT ON COLUMN idempotency_key.attempt_id IS 'The request that works on it; fences a slow one off whose lock ran out.';
COMMENT ON COLUMN idempotency_key.locked_until IS 'Until when the request is believed to be alive; in the past once it has ended.';
COMMENT ON COLUMN idempotency_key.status IS 'HTTP status of the answer; null while there is none. One that was saved ahead is given out once locked_until is over.';
COMMENT ON COLUMN idempotency_key.headers IS 'Location and the like, to be repeated.';
COMMENT ON COLUMN idempotency_key.body IS 'The answer''s bytes, sealed: an answer may show a new secret.';
COMMENT ON COLUMN idempotency_key.created_at IS 'First request.';
COMMENT ON COLUMN idempotency_key.expires_at IS 'When the key may be used anew.';

CREATE UNLOGGED TABLE rate_bucket (
    bucket  text        PRIMARY KEY,
    full_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE  rate_bucket IS 'Token buckets, each as one time (GCRA). Unlogged: a crash refills every bucket, which is harmless. Half-filled pages keep its updates HOT.';
COMMENT ON COLUMN rate_bucket.bucket IS 'What is limited: key:<id>, user:<id>, or an operation with its scope, such as bulk_scans:<org>.';
COMMENT ON COLUMN rate_bucket.full_at IS 'When the bucket will be full again (the theoretical arrival time of GCRA).';

-- ---------------------------------------------------------------- audit

CREATE TABLE audit_chain (
    id        uuid   PRIMARY KEY,
    org_id    uuid   CONSTRAINT audit_chain_org_key UNIQUE REFERENCES org (id),
    head_seq  bigint NOT NULL DEFAULT 0 CHECK (head_seq >= 0),
    head_hash bytea  NOT NULL DEFAULT '\x0000000000000000000000000000000000000000000000000000000000000000' CHECK (length(head_hash) = 32)
);
COMMENT ON TABLE  audit_chain IS 'One hash chain an organisation and one for the platform; its row is the lock that keeps seq without gaps.';
COMMENT ON COLUMN audit_chain.id IS 'The organisation''s id, or the nil UUID for the platform.';
COMMENT ON COLUMN audit_chain.org_id IS 'The organisation; null for the platform.';
COMMENT ON COLUMN audit_chain.head_seq IS 'seq of the newest row; 0 when there is none.';
COMMENT ON COLUMN audit_chain.head_hash IS 'hash of the newest row; 32 zero bytes when there is none.';
INSERT INTO audit_chain (id, org_id) VALUES ('00000000-0000-0000-0000-000000000000', NULL);

CREATE TABLE audit_event (
    chain_id      uuid        NOT NULL REFERENCES audit_chain (id),
    seq           bigint      NOT NULL CHECK (seq > 0),
    id            uuid        NOT NULL,
    occurred_at   timestamptz NOT NULL,
    actor_kind    text        NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'operator', 'schedule', 'system')),
    actor_id      text        NOT NULL,
    actor_display text        NOT NULL,
    action        text        NOT NULL,
    target_kind   text        NOT NULL,
    target_id     text        NOT NULL,
    outcome       text        NOT NULL CHECK (outcome IN ('success', 'refused')),
    request_id    text,
    ip            text,
    details       jsonb       NOT NULL,
    prev_hash     bytea       NOT NULL CHECK (length(prev_hash) = 32),
    hash          bytea       NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (chain_id, seq)
);
CREATE INDEX audit_event_time_idx ON audit_event (chain_id, occurred_at DESC);
COMMENT ON TABLE  audit_event IS 'Every change a person, key, schedule or operator made, written in the change''s own transaction. Append only.';
COMMENT ON COLUMN audit_event.chain_id IS 'The chain it belongs to.';
COMMENT ON COLUMN audit_event.seq IS 'Place in the chain, from 1 without gaps.';
COMMENT ON COLUMN audit_event.id IS 'UUID v7 for links.';
COMMENT ON COLUMN audit_event.occurred_at IS 'The database''s clock, to the microsecond.';
COMMENT ON COLUMN audit_event.actor_kind IS 'Who: user, api_key, operator, schedule or system.';
COMMENT ON COLUMN audit_event.actor_id IS 'The actor''s id.';
COMMENT ON COLUMN audit_event.actor_display IS 'The actor''s name or email at that time.';
COMMENT ON COLUMN audit_event.action IS 'Dotted, from jobs::audit''s catalogue, such as api_key.created.';
COMMENT ON COLUMN audit_event.target_kind IS 'What kind of thing was changed.';
COMMENT ON COLUMN audit_event.target_id IS 'Which one.';
COMMENT ON COLUMN audit_event.outcome IS 'success, or refused where an attempt itself is worth a row.';
COMMENT ON COLUMN audit_event.request_id IS 'The request that caused it, if one did.';
COMMENT ON COLUMN audit_event.ip IS 'The caller''s address, if there was one.';
COMMENT ON COLUMN audit_event.details IS 'What changed, without secrets.';
COMMENT ON COLUMN audit_event.prev_hash IS 'hash of the row before, 32 zero bytes for the first.';
COMMENT ON COLUMN audit_event.hash IS 'SHA-256 over the row''s canonical form (RFC 8785) with prev_hash; see jobs::audit.';

CREATE FUNCTION audit_event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_event is append only';
END $$;
CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event
    FOR EACH ROW EXECUTE FUNCTION audit_event_is_append_only();
CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only();
REVOKE UPDATE, DELETE, TRUNCATE ON audit_event FROM PUBLIC;

-- ---------------------------------------------------------------- events (what webhooks tell)

CREATE TABLE event (
    id          uuid        PRIMARY KEY,
    org_id      uuid        NOT NULL REFERENCES org (id),
    event_type  text        NOT NULL,
    data        jsonb       NOT NULL CHECK (pg_column_size(data) < 20480),
    occurred_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX event_org_idx ON event (org_id, occurred_at DESC);
COMMENT ON TABLE  event IS 'What happened and may be told to subscribers; recorded in the transaction that made it true.';
COMMENT ON COLUMN event.id IS 'UUID v7; the webhook-id of every delivery derives from it.';
COMMENT ON COLUMN event.org_id IS 'The organisation.';
COMMENT ON COLUMN event.event_type IS 'Dotted, such as scan.completed.';
COMMENT ON COLUMN event.data IS 'Ids and links rather than payloads, under 20 kB.';
COMMENT ON COLUMN event.occurred_at IS 'When it happened.';
