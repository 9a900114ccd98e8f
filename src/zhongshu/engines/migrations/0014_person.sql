-- Who of the unit that holds a case is to do it: a party's id, '' for nobody yet.

ALTER TABLE case_file ADD COLUMN person TEXT NOT NULL DEFAULT '';
