-- `batch`: what has piled up for this callback goes out in one request.
ALTER TABLE callbacks ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
