-- When and where a photograph was taken, as its camera wrote: µs of UTC, degrees.

ALTER TABLE evidence ADD COLUMN taken INTEGER;
ALTER TABLE evidence ADD COLUMN lon REAL;
ALTER TABLE evidence ADD COLUMN lat REAL;
