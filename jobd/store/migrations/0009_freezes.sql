-- `freezes`: the pause of the group, or of all groups, also holds for running jobs: their workers stand still.
ALTER TABLE groups ADD COLUMN freezes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE queue ADD COLUMN freezes INTEGER NOT NULL DEFAULT 0;
