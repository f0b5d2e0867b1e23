-- What is scanned and compared: cloud accounts, Terraform states, scans, live resources and drift. Conventions as in
-- 0001_foundation.sql.

-- ---------------------------------------------------------------- cloud accounts

CREATE TABLE cloud_account (
    id                  uuid        PRIMARY KEY,
    org_id              uuid        NOT NULL REFERENCES org (id),
    provider            text        NOT NULL CHECK (provider IN ('aws', 'gcp', 'azure', 'kubernetes')),
    external_account_id text        NOT NULL,
    display_name        text        NOT NULL CHECK (length(display_name) BETWEEN 1 AND 128),
    credential_type     text        NOT NULL CHECK (credential_type IN ('access_key', 'assume_role')),
    credential          bytea       NOT NULL,
    default_region      text        NOT NULL,
    live_resource_count bigint      NOT NULL DEFAULT 0,
    last_scan_id        uuid,
    last_validated_at   timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT cloud_account_identity_key UNIQUE (org_id, provider, external_account_id)
);
CREATE INDEX cloud_account_org_idx ON cloud_account (org_id, created_at DESC, id);
COMMENT ON TABLE  cloud_account IS 'A cloud account that scans may read, with its sealed credentials.';
COMMENT ON COLUMN cloud_account.id IS 'UUID v7.';
COMMENT ON COLUMN cloud_account.org_id IS 'The organisation.';
COMMENT ON COLUMN cloud_account.provider IS 'aws, gcp, azure, or kubernetes for clusters that report themselves.';
COMMENT ON COLUMN cloud_account.external_account_id IS 'The cloud''s own id of the account, proven by its credentials.';
COMMENT ON COLUMN cloud_account.display_name IS 'Name that people see.';
COMMENT ON COLUMN cloud_account.credential_type IS 'access_key or assume_role.';
COMMENT ON COLUMN cloud_account.credential IS 'The credential_ref as sent, sealed (jobs::crypto).';
COMMENT ON COLUMN cloud_account.default_region IS 'Where global questions are asked.';
COMMENT ON COLUMN cloud_account.live_resource_count IS 'Resources that are there as of the last scan, so that lists need not count them.';
COMMENT ON COLUMN cloud_account.last_scan_id IS 'The newest scan that ended done.';
COMMENT ON COLUMN cloud_account.last_validated_at IS 'When the cloud last accepted the credentials.';
COMMENT ON COLUMN cloud_account.created_at IS 'When it was registered.';

CREATE TABLE account_registration (
    id         uuid        PRIMARY KEY,
    org_id     uuid        NOT NULL REFERENCES org (id),
    job_id     uuid        NOT NULL,
    credential bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX account_registration_created_idx ON account_registration (created_at);
CREATE INDEX account_registration_secret_idx ON account_registration (job_id) WHERE credential IS NOT NULL;
COMMENT ON TABLE  account_registration IS 'Requests to register a cloud account, to be polled. How one stands is told by its job, and by cloud_account once it is done. Kept for as long as the job''s outcome.';
COMMENT ON COLUMN account_registration.id IS 'UUID v7, which the account will have.';
COMMENT ON COLUMN account_registration.org_id IS 'The organisation.';
COMMENT ON COLUMN account_registration.job_id IS 'The job that tries the credentials and registers the account.';
COMMENT ON COLUMN account_registration.credential IS 'The credential_ref as sent, sealed as for cloud_account; null once it was moved there or the registration failed.';
COMMENT ON COLUMN account_registration.created_at IS 'When it was asked for.';

-- ---------------------------------------------------------------- Terraform state

CREATE TABLE state_source (
    id                 uuid        PRIMARY KEY,
    org_id             uuid        NOT NULL REFERENCES org (id),
    cloud_account_id   uuid        REFERENCES cloud_account (id),
    kind               text        NOT NULL CHECK (kind IN ('gcs', 's3', 'azure_blob', 'upload', 'tfc')),
    display_name       text        NOT NULL CHECK (length(display_name) BETWEEN 1 AND 128),
    config             jsonb       NOT NULL,
    secret_config      bytea,
    latest_snapshot_id uuid,
    last_fetched_at    timestamptz,
    last_fetch_error   text,
    missing_since      timestamptz,
    deleted_at         timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX state_source_org_idx ON state_source (org_id, created_at DESC, id) WHERE deleted_at IS NULL;
CREATE INDEX state_source_account_idx ON state_source (cloud_account_id) WHERE deleted_at IS NULL;
COMMENT ON TABLE  state_source IS 'Where a Terraform state lives.';
COMMENT ON COLUMN state_source.id IS 'UUID v7.';
COMMENT ON COLUMN state_source.org_id IS 'The organisation.';
COMMENT ON COLUMN state_source.cloud_account_id IS 'The account it describes and whose credentials read it; null: all accounts of the organisation.';
COMMENT ON COLUMN state_source.kind IS 'gcs, s3, azure_blob, upload or tfc.';
COMMENT ON COLUMN state_source.display_name IS 'Name that people see.';
COMMENT ON COLUMN state_source.config IS 'By kind, for example bucket, key and region; without secrets.';
COMMENT ON COLUMN state_source.secret_config IS 'The secret parts of the config, sealed.';
COMMENT ON COLUMN state_source.latest_snapshot_id IS 'The snapshot that drift compares with.';
COMMENT ON COLUMN state_source.last_fetched_at IS 'When the state was last fetched or uploaded and read.';
COMMENT ON COLUMN state_source.last_fetch_error IS 'Why the last try failed; null after a success.';
COMMENT ON COLUMN state_source.missing_since IS 'Since when the backend says there is no such state.';
COMMENT ON COLUMN state_source.deleted_at IS 'Soft delete: kept for audit, no longer used for drift.';
COMMENT ON COLUMN state_source.created_at IS 'When it was registered.';

CREATE TABLE drift_key (
    org_id     uuid        PRIMARY KEY REFERENCES org (id) ON DELETE CASCADE,
    key        bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE  drift_key IS 'The key under which an organisation''s declared secrets are hashed. Random, and kept: hashes must stay comparable when the master key is rotated.';
COMMENT ON COLUMN drift_key.org_id IS 'The organisation.';
COMMENT ON COLUMN drift_key.key IS '32 bytes, sealed (jobs::crypto).';
COMMENT ON COLUMN drift_key.created_at IS 'When the first state was read.';

CREATE TABLE state_snapshot (
    id                  uuid        PRIMARY KEY,
    org_id              uuid        NOT NULL REFERENCES org (id),
    state_source_id     uuid        NOT NULL REFERENCES state_source (id),
    content_hash        text        NOT NULL CHECK (length(content_hash) = 64),
    size_bytes          bigint      NOT NULL,
    serial              bigint      NOT NULL,
    lineage             text        NOT NULL,
    terraform_version   text        NOT NULL,
    resource_count      integer     NOT NULL,
    parse_failure_count integer     NOT NULL,
    parse_failures      jsonb       NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT state_snapshot_content_key UNIQUE (state_source_id, content_hash)
);
COMMENT ON TABLE  state_snapshot IS 'One version of a state, parsed; the same bytes are not parsed twice.';
COMMENT ON COLUMN state_snapshot.id IS 'UUID v7.';
COMMENT ON COLUMN state_snapshot.org_id IS 'The organisation.';
COMMENT ON COLUMN state_snapshot.state_source_id IS 'Where it came from.';
COMMENT ON COLUMN state_snapshot.content_hash IS 'SHA-256 of the bytes, hex.';
COMMENT ON COLUMN state_snapshot.size_bytes IS 'Size of the state in bytes, uncompressed.';
COMMENT ON COLUMN state_snapshot.serial IS 'Terraform''s serial.';
COMMENT ON COLUMN state_snapshot.lineage IS 'Terraform''s lineage.';
COMMENT ON COLUMN state_snapshot.terraform_version IS 'The version that wrote it.';
COMMENT ON COLUMN state_snapshot.resource_count IS 'Managed resource instances in it.';
COMMENT ON COLUMN state_snapshot.parse_failure_count IS 'Instances that could not be read.';
COMMENT ON COLUMN state_snapshot.parse_failures IS 'The first of them: [{address, reason}].';
COMMENT ON COLUMN state_snapshot.created_at IS 'When it was ingested.';

CREATE TABLE declared_resource (
    id                   uuid NOT NULL,
    snapshot_id          uuid NOT NULL REFERENCES state_snapshot (id) ON DELETE CASCADE,
    org_id               uuid NOT NULL,
    address              text NOT NULL,
    provider_type        text NOT NULL,
    provider_resource_id text,
    resource             jsonb NOT NULL,
    PRIMARY KEY (snapshot_id, id)
);
CREATE INDEX declared_resource_cloud_idx ON declared_resource (org_id, provider_type, provider_resource_id);
COMMENT ON TABLE  declared_resource IS 'The managed resource instances of a snapshot.';
COMMENT ON COLUMN declared_resource.id IS 'UUID v7.';
COMMENT ON COLUMN declared_resource.snapshot_id IS 'The snapshot.';
COMMENT ON COLUMN declared_resource.org_id IS 'The organisation.';
COMMENT ON COLUMN declared_resource.address IS 'As Terraform writes it.';
COMMENT ON COLUMN declared_resource.provider_type IS 'Terraform''s type.';
COMMENT ON COLUMN declared_resource.provider_resource_id IS 'The id attribute, if it has one.';
COMMENT ON COLUMN declared_resource.resource IS 'drift::state::DeclaredResource; sensitive values are keyed hashes.';

-- ---------------------------------------------------------------- scans

CREATE TABLE scan_run (
    id               uuid        PRIMARY KEY,
    org_id           uuid        NOT NULL REFERENCES org (id),
    cloud_account_id uuid        NOT NULL REFERENCES cloud_account (id),
    provider         text        NOT NULL,
    scan_type        text        NOT NULL CHECK (scan_type IN ('manual', 'scheduled', 'webhook', 'operator')),
    status           text        NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'done', 'error')),
    job_id           uuid,
    filter_regions   text[]      NOT NULL DEFAULT '{}',
    ci               jsonb,
    progress         jsonb,
    resource_count   integer,
    scan_errors      jsonb       NOT NULL DEFAULT '[]',
    error_class      text,
    error            text,
    drift_status     text        CHECK (drift_status IN ('pending', 'running', 'done', 'error')),
    drift_error      text,
    drift_job_id     uuid,
    new_count        integer,
    changed_count    integer,
    missing_count    integer,
    result           jsonb,
    created_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    finished_at      timestamptz,
    CHECK ((status IN ('done', 'error')) = (finished_at IS NOT NULL)),
    CHECK (status <> 'running' OR started_at IS NOT NULL),
    CHECK ((status = 'error') = (error IS NOT NULL) AND (error IS NULL) = (error_class IS NULL)),
    CHECK (drift_status IS NULL OR status = 'done')
);
CREATE INDEX scan_run_org_idx ON scan_run (org_id, created_at DESC, id);
CREATE INDEX scan_run_account_idx ON scan_run (cloud_account_id, created_at DESC, id);
CREATE INDEX scan_run_open_idx ON scan_run (org_id) WHERE status IN ('pending', 'running');
CREATE INDEX scan_run_drift_idx ON scan_run (cloud_account_id) WHERE drift_status IN ('pending', 'running');
CREATE UNIQUE INDEX scan_run_running_key ON scan_run (cloud_account_id) WHERE status = 'running';
COMMENT ON TABLE  scan_run IS 'One scan of one cloud account.';
COMMENT ON COLUMN scan_run.id IS 'UUID v7.';
COMMENT ON COLUMN scan_run.org_id IS 'The organisation.';
COMMENT ON COLUMN scan_run.cloud_account_id IS 'The account.';
COMMENT ON COLUMN scan_run.provider IS 'The account''s provider, for filters.';
COMMENT ON COLUMN scan_run.scan_type IS 'manual, scheduled, webhook or operator.';
COMMENT ON COLUMN scan_run.status IS 'pending, running, then done or error.';
COMMENT ON COLUMN scan_run.job_id IS 'The job that runs it.';
COMMENT ON COLUMN scan_run.filter_regions IS 'Regions asked for; empty is every enabled one.';
COMMENT ON COLUMN scan_run.ci IS 'CI metadata: repo_owner, repo_name, repo_url, branch, commit_sha, pr_number.';
COMMENT ON COLUMN scan_run.progress IS '{phase, done, total}, for whoever polls.';
COMMENT ON COLUMN scan_run.resource_count IS 'Live resources found.';
COMMENT ON COLUMN scan_run.scan_errors IS 'What could not be read: [{service, region, provider_types, error_class, message}].';
COMMENT ON COLUMN scan_run.error_class IS 'Class of the failure that ended it in error.';
COMMENT ON COLUMN scan_run.error IS 'Why it ended in error, for a person.';
COMMENT ON COLUMN scan_run.drift_status IS 'null until drift was asked for; then pending, running, done or error.';
COMMENT ON COLUMN scan_run.drift_error IS 'Why computing drift failed.';
COMMENT ON COLUMN scan_run.drift_job_id IS 'The job that computes drift.';
COMMENT ON COLUMN scan_run.new_count IS 'Extra resources of the drift snapshot.';
COMMENT ON COLUMN scan_run.changed_count IS 'Changed resources of the drift snapshot.';
COMMENT ON COLUMN scan_run.missing_count IS 'Missing resources of the drift snapshot.';
COMMENT ON COLUMN scan_run.result IS 'Summary shown as result_json: regions, resources by type, seconds.';
COMMENT ON COLUMN scan_run.created_at IS 'When it was asked for.';
COMMENT ON COLUMN scan_run.started_at IS 'When a worker began.';
COMMENT ON COLUMN scan_run.finished_at IS 'When it ended.';

CREATE TABLE live_resource (
    id                        uuid        PRIMARY KEY,
    org_id                    uuid        NOT NULL REFERENCES org (id),
    cloud_account_id          uuid        NOT NULL REFERENCES cloud_account (id),
    provider                  text        NOT NULL,
    provider_type             text        NOT NULL,
    provider_resource_id      text        NOT NULL,
    region                    text        NOT NULL,
    arn                       text,
    name                      text,
    properties                jsonb       NOT NULL,
    managed_by                text,
    part_of                   text,
    status                    text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'gone')),
    enrichment_status         text        NOT NULL DEFAULT 'none' CHECK (enrichment_status IN ('none', 'enriched', 'failed', 'n/a')),
    enrichment_failure_reason text,
    last_scan_id              uuid        NOT NULL,
    first_seen_at             timestamptz NOT NULL DEFAULT now(),
    last_seen_at              timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT live_resource_identity_key UNIQUE (cloud_account_id, provider_type, region, provider_resource_id)
);
CREATE INDEX live_resource_org_idx ON live_resource (org_id, id) WHERE status = 'active';
CREATE INDEX live_resource_account_idx ON live_resource (cloud_account_id, id) WHERE status = 'active';
COMMENT ON TABLE  live_resource IS 'What the last scans found in the clouds, one row a resource.';
COMMENT ON COLUMN live_resource.id IS 'UUID v7.';
COMMENT ON COLUMN live_resource.org_id IS 'The organisation.';
COMMENT ON COLUMN live_resource.cloud_account_id IS 'The account.';
COMMENT ON COLUMN live_resource.provider IS 'The account''s provider, for filters.';
COMMENT ON COLUMN live_resource.provider_type IS 'Terraform''s type.';
COMMENT ON COLUMN live_resource.provider_resource_id IS 'The cloud''s id, in the form Terraform uses.';
COMMENT ON COLUMN live_resource.region IS 'Region, or global.';
COMMENT ON COLUMN live_resource.arn IS 'ARN where there is one.';
COMMENT ON COLUMN live_resource.name IS 'Name that people see.';
COMMENT ON COLUMN live_resource.properties IS 'Terraform''s attributes as far as the cloud tells them.';
COMMENT ON COLUMN live_resource.managed_by IS 'Why it is not the customer''s to declare, such as default VPC; null otherwise.';
COMMENT ON COLUMN live_resource.part_of IS 'type.id of the resource it hangs on, if any.';
COMMENT ON COLUMN live_resource.status IS 'active, or gone when a later scan could read its type and region and did not find it.';
COMMENT ON COLUMN live_resource.enrichment_status IS 'none, enriched, failed or n/a.';
COMMENT ON COLUMN live_resource.enrichment_failure_reason IS 'Why the last enrichment failed.';
COMMENT ON COLUMN live_resource.last_scan_id IS 'The newest scan that saw it.';
COMMENT ON COLUMN live_resource.first_seen_at IS 'When a scan first saw it.';
COMMENT ON COLUMN live_resource.last_seen_at IS 'When a scan last saw it.';

-- ---------------------------------------------------------------- drift

CREATE TABLE drift_snapshot (
    id                  uuid        PRIMARY KEY,
    org_id              uuid        NOT NULL REFERENCES org (id),
    scan_run_id         uuid        NOT NULL CONSTRAINT drift_snapshot_scan_key UNIQUE REFERENCES scan_run (id),
    cloud_account_id    uuid        NOT NULL REFERENCES cloud_account (id),
    total_iac           integer     NOT NULL,
    total_live          integer     NOT NULL,
    matched_count       integer     NOT NULL,
    changed_count       integer     NOT NULL,
    missing_count       integer     NOT NULL,
    extra_count         integer     NOT NULL,
    unchecked_count     integer     NOT NULL,
    unknown_count       integer     NOT NULL,
    parse_failure_count integer     NOT NULL,
    coverage_pct        double precision NOT NULL,
    risk_level          text        NOT NULL,
    report              jsonb       NOT NULL,
    every_region        boolean     NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX drift_snapshot_account_idx ON drift_snapshot (cloud_account_id, created_at DESC);
CREATE INDEX drift_snapshot_posture_idx ON drift_snapshot (cloud_account_id, every_region DESC, created_at DESC, id DESC);
COMMENT ON TABLE  drift_snapshot IS 'The drift of one scan: totals here, items in drift_item.';
COMMENT ON COLUMN drift_snapshot.id IS 'UUID v7.';
COMMENT ON COLUMN drift_snapshot.org_id IS 'The organisation.';
COMMENT ON COLUMN drift_snapshot.scan_run_id IS 'The scan.';
COMMENT ON COLUMN drift_snapshot.cloud_account_id IS 'The scan''s account.';
COMMENT ON COLUMN drift_snapshot.total_iac IS 'Declared resource instances.';
COMMENT ON COLUMN drift_snapshot.total_live IS 'Live resources compared.';
COMMENT ON COLUMN drift_snapshot.matched_count IS 'Declared and live alike.';
COMMENT ON COLUMN drift_snapshot.changed_count IS 'Declared and live, but different.';
COMMENT ON COLUMN drift_snapshot.missing_count IS 'Declared, not live.';
COMMENT ON COLUMN drift_snapshot.extra_count IS 'Live, not declared.';
COMMENT ON COLUMN drift_snapshot.unchecked_count IS 'Declared, of a type that has no reader.';
COMMENT ON COLUMN drift_snapshot.unknown_count IS 'Declared in a part of the cloud that was not read.';
COMMENT ON COLUMN drift_snapshot.parse_failure_count IS 'Instances of the states that could not be read.';
COMMENT ON COLUMN drift_snapshot.coverage_pct IS 'Matched and changed of all live, in percent with one decimal.';
COMMENT ON COLUMN drift_snapshot.risk_level IS 'none, low, medium, high or critical: the highest of the items.';
COMMENT ON COLUMN drift_snapshot.report IS 'The rest of the summary: unchecked types, unknown slices, what noise rules hid.';
COMMENT ON COLUMN drift_snapshot.every_region IS 'Whether the scan was of every region; only such tell how the account as a whole stands.';
COMMENT ON COLUMN drift_snapshot.created_at IS 'When it was computed.';

CREATE TABLE drift_item (
    snapshot_id   uuid    NOT NULL REFERENCES drift_snapshot (id) ON DELETE CASCADE,
    ordinal       integer NOT NULL,
    org_id        uuid    NOT NULL,
    kind          text    NOT NULL CHECK (kind IN ('changed', 'missing', 'extra')),
    severity      text    NOT NULL,
    provider_type text    NOT NULL,
    item          jsonb   NOT NULL,
    PRIMARY KEY (snapshot_id, ordinal)
);
COMMENT ON TABLE  drift_item IS 'One differing resource of a drift snapshot.';
COMMENT ON COLUMN drift_item.snapshot_id IS 'The snapshot.';
COMMENT ON COLUMN drift_item.ordinal IS 'Place in the report, from 0.';
COMMENT ON COLUMN drift_item.org_id IS 'The organisation.';
COMMENT ON COLUMN drift_item.kind IS 'changed, missing or extra.';
COMMENT ON COLUMN drift_item.severity IS 'low, medium, high or critical.';
COMMENT ON COLUMN drift_item.provider_type IS 'Terraform''s type, for filters.';
COMMENT ON COLUMN drift_item.item IS 'drift::Item, in the wire shape.';
