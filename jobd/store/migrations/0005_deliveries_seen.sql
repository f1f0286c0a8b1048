-- created_seen: when a delivery was put into the outbox, as `seen.ms`: what its age is counted by, since the wall clock may be set.
-- due_seen: when it became its job's first one, or was replayed as such. When older ones were made is known by the wall clock
-- alone: they count from now.
ALTER TABLE deliveries ADD COLUMN created_seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN due_seen INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET created_seen = (SELECT ms FROM seen), due_seen = (SELECT ms FROM seen);
