-- What deleting by age needs beside the indexes that are there. Every table that grows is emptied from its old end, in small batches, along
-- an index that begins there; where ids are UUIDs of version 7, the primary key is one.

-- With a plain cast of what it builds, and no more than it says, so that Postgres puts it into the statements that call it.
CREATE FUNCTION uuid_v7_floor(p_time timestamptz)
RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (lpad(to_hex(floor(extract(epoch FROM p_time) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;
COMMENT ON FUNCTION uuid_v7_floor(timestamptz) IS
    'The least UUID of version 7 that can have been made at a time, to the millisecond: ids below it are older.';

-- Written when an endpoint begins to fail and when it ceases to, not at each attempt.
CREATE INDEX webhook_endpoint_failing_idx ON webhook_endpoint (failing_since)
    WHERE failing_since IS NOT NULL AND disabled_at IS NULL AND deleted_at IS NULL;
