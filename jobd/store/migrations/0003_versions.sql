-- `version`: counts the changes of a row. An update names the version that the writer has read, so that it cannot overwrite an unseen change.
ALTER TABLE jobs ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- Whatever a later statement does: a deleted job stays hidden, a job that is no longer live stays so, and a job never regains its free id.
CREATE TRIGGER jobs_go_forward BEFORE UPDATE OF hidden, live, holds_id, record, version ON jobs
WHEN NEW.hidden < OLD.hidden OR NEW.live > OLD.live OR NEW.holds_id > OLD.holds_id
    OR (NEW.record IS NOT OLD.record AND NEW.version <> OLD.version + 1)
BEGIN
    SELECT RAISE(ABORT, 'a change of a job would take back what is stored');
END;
