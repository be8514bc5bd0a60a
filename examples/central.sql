-- The central table that `pgvigil audit ship` (kind = "postgresql") fills: every record of many proxies, partitioned by
-- day. Run by the DBA of that database, once:
--
--   psql -d audit -v writer_password=... -f central.sql
--
-- Plain SQL. On Citus, take the comment signs from the two lines with create_distributed_table.

CREATE SCHEMA pgvigil_audit;
REVOKE ALL ON SCHEMA pgvigil_audit FROM PUBLIC;

-- `line` is the record as it stands in the trail: encode(sha256(convert_to(line || E'\n', 'UTF8')), 'hex') = hash. The
-- columns beside it are copies, to search by; line::jsonb has everything.
CREATE TABLE pgvigil_audit.record (
    site text NOT NULL,            -- which proxy
    chain bigint NOT NULL,         -- which of its workers
    seq bigint NOT NULL,
    time timestamptz NOT NULL,
    hash text NOT NULL,
    type text NOT NULL,
    event text,
    person text,
    role text,
    mission text,
    decision text,
    break_glass boolean NOT NULL,
    line text NOT NULL,
    PRIMARY KEY (site, chain, seq, time)
) PARTITION BY RANGE (time);
CREATE INDEX record_time ON pgvigil_audit.record (time);
CREATE INDEX record_person ON pgvigil_audit.record (person, time);

-- Up to where the trail of each proxy is in the table. It moves in the transactions that bring the records.
CREATE TABLE pgvigil_audit.position (
    site text NOT NULL,
    chain bigint NOT NULL,
    file_number bigint NOT NULL,
    file_offset bigint NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (site, chain)
);

-- SELECT create_distributed_table('pgvigil_audit.record', 'site');
-- SELECT create_distributed_table('pgvigil_audit.position', 'site', colocate_with => 'pgvigil_audit.record');

-- Makes a day's partition if it is not there. The shippers call it: they may not make tables themselves. A day is UTC's.
CREATE FUNCTION pgvigil_audit.make_partition(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    partition text := 'record_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass('pgvigil_audit.' || partition) IS NOT NULL THEN
        RETURN;
    END IF;
    -- A proxy that somebody has taken over shall not fill the catalogs.
    IF day IS NULL OR day < date '2020-01-01' OR day > current_date + 7 THEN
        RAISE EXCEPTION 'no partition for %: it is not a day of a trail', day;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('pgvigil_audit.make_partition'));
    IF to_regclass('pgvigil_audit.' || partition) IS NULL THEN
        EXECUTE format('CREATE TABLE pgvigil_audit.%I PARTITION OF pgvigil_audit.record FOR VALUES FROM (%L) TO (%L)',
                       partition, to_char(day, 'YYYY-MM-DD') || ' 00:00:00+00',
                       to_char(day + 1, 'YYYY-MM-DD') || ' 00:00:00+00');
    END IF;
END $$;
REVOKE ALL ON FUNCTION pgvigil_audit.make_partition(date) FROM PUBLIC;

-- The shippers' login: it adds records and keeps its place. It cannot read, change or remove any record.
CREATE ROLE pgvigil_ship LOGIN PASSWORD :'writer_password';
GRANT USAGE ON SCHEMA pgvigil_audit TO pgvigil_ship;
GRANT INSERT ON pgvigil_audit.record TO pgvigil_ship;
GRANT SELECT, INSERT, UPDATE ON pgvigil_audit.position TO pgvigil_ship;
GRANT EXECUTE ON FUNCTION pgvigil_audit.make_partition(date) TO pgvigil_ship;

-- Who may read: GRANT USAGE ON SCHEMA pgvigil_audit, SELECT ON pgvigil_audit.record TO auditor;
-- What is old enough goes by the day: ALTER TABLE pgvigil_audit.record DETACH PARTITION pgvigil_audit.record_20260131;
