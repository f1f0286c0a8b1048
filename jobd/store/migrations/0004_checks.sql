-- seen: the observed time, from clocks that nobody can set. `boot` and `uptime_ms`: the time of the last update.
CREATE TABLE seen (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    ms        INTEGER NOT NULL,
    boot      TEXT    NOT NULL,
    uptime_ms INTEGER NOT NULL
);
INSERT INTO seen VALUES (1, 0, '', 0);

-- ended_seen: the observed time of a job's end. Older jobs have only a wall clock time of their end: they count from now.
ALTER TABLE jobs ADD COLUMN ended_seen INTEGER;
UPDATE jobs SET ended_seen = 0 WHERE finished_at IS NOT NULL OR live = 0;
DROP INDEX jobs_to_clean;
DROP INDEX jobs_ended;
CREATE INDEX jobs_to_clean ON jobs (ended_seen) WHERE live = 1 AND finished_at IS NOT NULL;
CREATE INDEX jobs_ended ON jobs (ended_seen) WHERE live = 0;

-- Checksums, which detect rows that the disk has damaged. NULL: an older version has written the row.
ALTER TABLE jobs ADD COLUMN fixed_sum INTEGER;
ALTER TABLE jobs ADD COLUMN spec_sum INTEGER;
ALTER TABLE jobs ADD COLUMN record_sum INTEGER;
ALTER TABLE callbacks ADD COLUMN sum INTEGER;
ALTER TABLE events ADD COLUMN sum INTEGER;
ALTER TABLE log_chunks ADD COLUMN sum INTEGER;
UPDATE jobs SET
    fixed_sum = checksum(
        CAST(uid AS BLOB), CAST(id AS BLOB), CAST(owner AS BLOB), CAST(labels AS BLOB), created_at
    ),
    spec_sum = checksum((SELECT spec FROM specs WHERE specs.job = jobs.n)),
    record_sum = checksum(record);
UPDATE callbacks SET sum = checksum(CAST(url AS BLOB), CAST(key AS BLOB), CAST(lane AS BLOB));
