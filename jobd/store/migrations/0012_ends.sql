-- ends: one row for each ended job, for statistics. The columns of the phases are microseconds, NULL where the job did not have the phase.
-- A row is removed with its job. Jobs that have ended before are counted without the time of their phases, which nobody has stored.
CREATE TABLE ends (
    job         INTEGER PRIMARY KEY REFERENCES jobs (n) ON DELETE CASCADE,
    finished_at INTEGER NOT NULL,
    status      TEXT    NOT NULL,
    reason      TEXT,
    image       TEXT    NOT NULL,
    job_group   TEXT    NOT NULL,
    queued      INTEGER,
    pulling     INTEGER,
    inputs      INTEGER,
    running     INTEGER,
    outputs     INTEGER
);
INSERT INTO ends (job, finished_at, status, reason, image, job_group)
SELECT
    n, finished_at, status,
    CASE WHEN json_valid(text) THEN ifnull(json_extract(text, '$.attempt.state.failure.reason'), json_extract(text, '$.reason')) END,
    ifnull(CASE WHEN json_valid(text) THEN json_extract(text, '$.image') END, ''),
    ifnull(CASE WHEN json_valid(text) THEN json_extract(text, '$.scheduling.group') END, 'default')
FROM (SELECT n, finished_at, status, CAST(record AS TEXT) AS text FROM jobs WHERE finished_at IS NOT NULL);
CREATE INDEX ends_by_time ON ends (finished_at, job);
