-- `version`: counts the changes of a row. A writer names the version that it has read, so that it cannot write over what it has not seen.
ALTER TABLE jobs ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- A deleted job stays hidden, one that needs no more work stays so, and a free id is not taken back: whatever statement is to come.
CREATE TRIGGER jobs_go_forward BEFORE UPDATE OF hidden, live, holds_id, record, version ON jobs
WHEN NEW.hidden < OLD.hidden OR NEW.live > OLD.live OR NEW.holds_id > OLD.holds_id
    OR (NEW.record IS NOT OLD.record AND NEW.version <> OLD.version + 1)
BEGIN
    SELECT RAISE(ABORT, 'a change of a job would take back what is stored');
END;
