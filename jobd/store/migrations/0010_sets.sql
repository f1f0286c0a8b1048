-- Sets of jobs. `set_name`: from the job's spec; `waiting`: the job is in the phase `queued`, counted for sets alone. The index has all that
-- the numbers of a set need, and the jobs of a set in the order of a list.
ALTER TABLE jobs ADD COLUMN set_name TEXT;
ALTER TABLE jobs ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_by_set ON jobs (set_name, n, hidden, status, waiting, created_at, finished_at) WHERE set_name IS NOT NULL;

-- sets: the names, in the order of their first jobs. A row is removed with the last job of its set.
CREATE TABLE sets (
    n    INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT    NOT NULL UNIQUE
);

-- groups: the settings of a `temporary` group are removed some time after its last job.
ALTER TABLE groups ADD COLUMN temporary INTEGER NOT NULL DEFAULT 0;
