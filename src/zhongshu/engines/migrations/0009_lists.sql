-- Lists of cases in their order by opening and by limit, by class, by state, and what stands open: so that a long desk is as quick as a short one.

DROP INDEX case_file_opened;
DROP INDEX case_file_closed;
DROP INDEX case_file_state;
CREATE INDEX case_file_opened ON case_file (opened, id, area);
CREATE INDEX case_file_closed ON case_file (closed, area, step) WHERE closed IS NOT NULL;
CREATE INDEX case_file_state ON case_file (step, opened, id, area);
CREATE INDEX case_file_class ON case_file (class, opened, id, area);
CREATE INDEX case_file_by_due ON case_file (coalesce(due, 4611686018427387904), id, area, class);
CREATE INDEX case_file_open ON case_file (opened, id, area, class, unit, due, parked) WHERE closed IS NULL;
