-- The centre that commands a case below the city, '' where the city does; and the rulings, to be found among all steps.

ALTER TABLE case_file ADD COLUMN command TEXT NOT NULL DEFAULT '';
CREATE INDEX case_step_ruled ON case_step (seq) WHERE verb = 'rule';
