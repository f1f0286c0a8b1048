-- Indexes for the filters of a list: a filter that few jobs match is answered without a walk over all jobs.
CREATE INDEX jobs_by_status ON jobs (status);
CREATE INDEX jobs_by_owner ON jobs (owner);
CREATE INDEX jobs_by_time ON jobs (created_at);
