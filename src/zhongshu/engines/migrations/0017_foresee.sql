-- What may happen: scenarios, which are options of a question, and their runs. What a run foresaw lies beside the warehouse, a file a run.
-- And the ledger's lines of lessons, which are looked for by their kind.

CREATE TABLE scenario (
    id TEXT NOT NULL PRIMARY KEY,
    question TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL DEFAULT '',
    case_id TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL,
    wishes TEXT NOT NULL,
    made INTEGER NOT NULL DEFAULT 0,
    made_by TEXT NOT NULL DEFAULT '',
    run_id TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT '',
    decided INTEGER,
    decided_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX scenario_question ON scenario (question, made);
CREATE INDEX scenario_case ON scenario (case_id);

CREATE TABLE scenario_run (
    id TEXT NOT NULL PRIMARY KEY,
    scenario TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL DEFAULT '',
    asked INTEGER NOT NULL DEFAULT 0,
    asked_by TEXT NOT NULL DEFAULT '',
    seed INTEGER NOT NULL DEFAULT 0,
    known INTEGER,
    until INTEGER,
    ended INTEGER,
    engines TEXT NOT NULL,
    told TEXT NOT NULL
);
CREATE INDEX scenario_run_of ON scenario_run (scenario, asked);
CREATE INDEX scenario_run_state ON scenario_run (state, known);

CREATE INDEX ledger_lessons ON ledger (kind, seq) WHERE kind = 'lesson';
