-- A voice's own life: transferred, refused, called back; what was proposed of it; and what it was answered from.

ALTER TABLE request ADD COLUMN transferred TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN knowledge TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request ADD COLUMN result TEXT NOT NULL DEFAULT '';
ALTER TABLE request ADD COLUMN satisfied INTEGER;
ALTER TABLE request ADD COLUMN closed INTEGER;
ALTER TABLE request ADD COLUMN proposed TEXT NOT NULL DEFAULT '{}';
ALTER TABLE request ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE INDEX request_state ON request (state, created);
