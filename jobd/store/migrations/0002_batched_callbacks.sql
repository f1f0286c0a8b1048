-- `batch`: one request to this callback contains several pending events.
ALTER TABLE callbacks ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
