-- How far a task has come with the unit it was sent to: '', delivered, read.

ALTER TABLE case_file ADD COLUMN receipt TEXT NOT NULL DEFAULT '';
