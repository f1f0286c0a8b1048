-- due_seen: the observed time at which the first pending delivery of a job is due: the wall clock may be set. `due_at`, for people, is
-- the wall clock's. A delivery that waits for another try keeps the rest of its wait, if that is at most as long as jobd lets any wait.
UPDATE deliveries SET due_seen = (SELECT ms FROM seen) + due_at / 1000 - CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
WHERE due_at / 1000 - CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) BETWEEN 1 AND 7200000 AND tries + requeues > 0;
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (lane, due_seen, id) WHERE due_at IS NOT NULL;
