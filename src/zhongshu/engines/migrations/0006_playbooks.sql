-- Playbooks: each version kept once, by the hash of its bytes; and where each case's own run of one stands.

CREATE TABLE playbook (
    version TEXT NOT NULL PRIMARY KEY,
    key TEXT NOT NULL,
    name_zh TEXT NOT NULL,
    name_en TEXT NOT NULL,
    body TEXT NOT NULL,
    source TEXT NOT NULL,
    deployed INTEGER NOT NULL,
    deployed_by TEXT NOT NULL
);
CREATE INDEX playbook_key ON playbook (key, deployed);

CREATE TABLE playbook_run (
    case_id TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL,
    state TEXT NOT NULL,
    due INTEGER,
    begun INTEGER NOT NULL,
    ended INTEGER
);
CREATE INDEX playbook_run_due ON playbook_run (due) WHERE due IS NOT NULL;

ALTER TABLE case_task ADD COLUMN choices TEXT NOT NULL DEFAULT '[]';
