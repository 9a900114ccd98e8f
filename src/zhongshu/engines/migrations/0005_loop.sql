-- The closed loop: each holder's clock, what was asked for, how often a case went back, came again or was lifted; tasks of other parties within a case.

ALTER TABLE case_file ADD COLUMN due_mode TEXT NOT NULL DEFAULT 'wall';
ALTER TABLE case_file ADD COLUMN due_calendar TEXT NOT NULL DEFAULT '';
ALTER TABLE case_file ADD COLUMN part TEXT NOT NULL DEFAULT '';
ALTER TABLE case_file ADD COLUMN held_due INTEGER;
ALTER TABLE case_file ADD COLUMN held_warn INTEGER;
ALTER TABLE case_file ADD COLUMN held_mode TEXT NOT NULL DEFAULT 'wall';
ALTER TABLE case_file ADD COLUMN held_calendar TEXT NOT NULL DEFAULT '';
ALTER TABLE case_file ADD COLUMN held_told INTEGER NOT NULL DEFAULT 0;
ALTER TABLE case_file ADD COLUMN asked TEXT NOT NULL DEFAULT '{}';
ALTER TABLE case_file ADD COLUMN rejected INTEGER NOT NULL DEFAULT 0;
ALTER TABLE case_file ADD COLUMN extended INTEGER NOT NULL DEFAULT 0;
ALTER TABLE case_file ADD COLUMN urged INTEGER NOT NULL DEFAULT 0;
ALTER TABLE case_file ADD COLUMN tier INTEGER NOT NULL DEFAULT 0;
ALTER TABLE case_file ADD COLUMN supervised INTEGER;
ALTER TABLE case_file ADD COLUMN supervised_until INTEGER;
ALTER TABLE case_file ADD COLUMN reopened INTEGER NOT NULL DEFAULT 0;
ALTER TABLE case_file ADD COLUMN danger INTEGER NOT NULL DEFAULT 0;
ALTER TABLE case_file ADD COLUMN sample INTEGER NOT NULL DEFAULT 100;
ALTER TABLE case_file ADD COLUMN helpers TEXT NOT NULL DEFAULT '[]';
CREATE INDEX case_file_held ON case_file (held_due) WHERE held_due IS NOT NULL;
CREATE INDEX case_file_near ON case_file (held_warn) WHERE held_warn IS NOT NULL;

CREATE TABLE case_task (
    id TEXT NOT NULL PRIMARY KEY,
    case_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL,
    unit TEXT NOT NULL,
    unit_zh TEXT NOT NULL,
    unit_en TEXT NOT NULL,
    area INTEGER NOT NULL,
    state TEXT NOT NULL,
    needs TEXT NOT NULL,
    checklist TEXT NOT NULL,
    made INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    due INTEGER,
    arrived INTEGER,
    ended INTEGER,
    told INTEGER NOT NULL,
    version INTEGER NOT NULL
);
CREATE INDEX case_task_case ON case_task (case_id);
CREATE INDEX case_task_unit ON case_task (unit, state);
CREATE INDEX case_task_due ON case_task (state, due);
