-- groups: settings of groups of jobs. A group without a row has no limit and is not paused. `most`: how many of its jobs may run at once.
CREATE TABLE groups (
    name   TEXT    PRIMARY KEY,
    most   INTEGER,
    paused INTEGER NOT NULL
) WITHOUT ROWID;

-- queue: `paused`: no job of any group starts.
CREATE TABLE queue (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    paused INTEGER NOT NULL
);
INSERT INTO queue VALUES (1, 0);
