-- jobs: the columns of queries, and the caller's own record. `n` grows with each new job and orders lists.
CREATE TABLE jobs (
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    uid         TEXT    NOT NULL UNIQUE,
    id          TEXT    NOT NULL,
    owner       TEXT,
    status      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    live        INTEGER NOT NULL,
    hidden      INTEGER NOT NULL,
    holds_id    INTEGER NOT NULL,
    labels      TEXT    NOT NULL,
    record      BLOB    NOT NULL
);
CREATE UNIQUE INDEX jobs_holder ON jobs (id) WHERE holds_id = 1;
CREATE INDEX jobs_by_id ON jobs (id);
CREATE INDEX jobs_listed ON jobs (n, hidden, status, owner, created_at, id);
CREATE INDEX jobs_live ON jobs (n) WHERE live = 1;
CREATE INDEX jobs_to_clean ON jobs (finished_at) WHERE live = 1 AND finished_at IS NOT NULL;
CREATE INDEX jobs_hidden ON jobs (n) WHERE hidden = 1;
CREATE INDEX jobs_ended ON jobs (ifnull(finished_at, created_at)) WHERE live = 0;

-- specs: long and immutable, so an update of a job does not write them again.
CREATE TABLE specs (
    job  INTEGER PRIMARY KEY REFERENCES jobs (n) ON DELETE CASCADE,
    spec BLOB    NOT NULL
);

CREATE TABLE job_labels (
    name  TEXT    NOT NULL,
    value TEXT    NOT NULL,
    job   INTEGER NOT NULL REFERENCES jobs (n) ON DELETE CASCADE,
    PRIMARY KEY (name, value, job)
) WITHOUT ROWID;
CREATE INDEX job_labels_by_job ON job_labels (job);

-- callbacks: one for each job. `stopped`: the receiver responded 410.
CREATE TABLE callbacks (
    job     INTEGER PRIMARY KEY REFERENCES jobs (n) ON DELETE CASCADE,
    url     TEXT    NOT NULL,
    key     TEXT,
    lane    TEXT    NOT NULL,
    stopped INTEGER NOT NULL DEFAULT 0
);

-- events: bodies exactly as signed and sent.
CREATE TABLE events (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    job        INTEGER NOT NULL REFERENCES jobs (n) ON DELETE CASCADE,
    event_id   TEXT    NOT NULL UNIQUE,
    type       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    body       BLOB    NOT NULL
);
CREATE INDEX events_by_job ON events (job);

-- deliveries: the outbox. `due_at` is set only for the first pending delivery of each job, so that one index
-- query finds the due deliveries, however many are pending behind them.
CREATE TABLE deliveries (
    id           INTEGER PRIMARY KEY REFERENCES events (seq) ON DELETE CASCADE,
    job          INTEGER NOT NULL,
    lane         TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    due_at       INTEGER,
    attempts     INTEGER NOT NULL DEFAULT 0,
    tries        INTEGER NOT NULL DEFAULT 0,
    requeues     INTEGER NOT NULL DEFAULT 0,
    delivered_at INTEGER,
    last_status  INTEGER,
    last_error   TEXT
);
CREATE INDEX deliveries_pending ON deliveries (job, id) WHERE state = 'pending';
CREATE INDEX deliveries_due ON deliveries (lane, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_parked ON deliveries (id) WHERE state = 'parked';

-- log_chunks: lines as on the wire.
CREATE TABLE log_chunks (
    chunk      INTEGER PRIMARY KEY,
    job        INTEGER NOT NULL REFERENCES jobs (n) ON DELETE CASCADE,
    first_seq  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    line_count INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    data       BLOB    NOT NULL,
    UNIQUE (job, last_seq)
);
