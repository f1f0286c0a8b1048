-- created_seen: the observed time at which a delivery entered the outbox, which gives its age: the wall clock may be set.
-- due_seen: the observed time at which it became its job's first pending delivery. Older deliveries have only wall clock
-- times: they count from now.
ALTER TABLE deliveries ADD COLUMN created_seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN due_seen INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET created_seen = (SELECT ms FROM seen), due_seen = (SELECT ms FROM seen);
