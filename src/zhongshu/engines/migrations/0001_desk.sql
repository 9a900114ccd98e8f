-- The desk's first tables: what the stage `act` keeps, and what `judge` keeps of its findings.
-- Times are integer microseconds of UTC; areas are int64 keys; JSON is text. The history is append-only, and the store itself sees to it.

CREATE TABLE serial (
    prefix TEXT NOT NULL,
    day TEXT NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (prefix, day)
);

CREATE TABLE desk_cursor (
    name TEXT NOT NULL PRIMARY KEY,
    done INTEGER NOT NULL,
    pending INTEGER
);

CREATE TABLE duty_row (
    id INTEGER NOT NULL PRIMARY KEY,
    class TEXT NOT NULL,
    zh TEXT NOT NULL,
    en TEXT NOT NULL,
    words TEXT NOT NULL,
    unit TEXT NOT NULL,
    unit_zh TEXT NOT NULL,
    unit_en TEXT NOT NULL,
    helpers TEXT NOT NULL,
    limit_minutes INTEGER,
    warn_minutes INTEGER,
    calendar TEXT NOT NULL,
    check_mode TEXT NOT NULL,
    normal_minutes INTEGER,
    danger INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    basis TEXT NOT NULL,
    source TEXT NOT NULL,
    valid_from INTEGER NOT NULL
);
CREATE UNIQUE INDEX duty_row_dated ON duty_row (class, valid_from, source);

CREATE TABLE lead (
    id TEXT NOT NULL PRIMARY KEY,
    number TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    external TEXT NOT NULL,
    class TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL,
    address TEXT NOT NULL,
    area INTEGER NOT NULL,
    lon REAL,
    lat REAL,
    level TEXT NOT NULL,
    indicator TEXT NOT NULL,
    finding TEXT,
    state TEXT NOT NULL,
    of TEXT,
    case_id TEXT,
    opened INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    ended INTEGER,
    decided_by TEXT NOT NULL,
    flags TEXT NOT NULL,
    version INTEGER NOT NULL
);
CREATE UNIQUE INDEX lead_number ON lead (number);
CREATE UNIQUE INDEX lead_once ON lead (source, external);
CREATE INDEX lead_finding ON lead (finding);
CREATE INDEX lead_case ON lead (case_id);
CREATE INDEX lead_state ON lead (state, class, opened);

CREATE TABLE lead_link (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    lead TEXT NOT NULL,
    request TEXT,
    other TEXT,
    before TEXT,
    kind TEXT NOT NULL,
    reason_zh TEXT NOT NULL,
    reason_en TEXT NOT NULL,
    made INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    undone INTEGER,
    undone_by TEXT
);
CREATE INDEX lead_link_lead ON lead_link (lead);
CREATE INDEX lead_link_request ON lead_link (request);
CREATE INDEX lead_link_other ON lead_link (other);

CREATE TABLE request (
    id TEXT NOT NULL PRIMARY KEY,
    number TEXT NOT NULL,
    source TEXT NOT NULL,
    external TEXT NOT NULL,
    class TEXT NOT NULL,
    text TEXT NOT NULL,
    address TEXT NOT NULL,
    area INTEGER NOT NULL,
    lon REAL,
    lat REAL,
    channel TEXT NOT NULL,
    unit TEXT NOT NULL,
    reporter TEXT NOT NULL,
    photos TEXT NOT NULL,
    state TEXT NOT NULL,
    created INTEGER NOT NULL,
    received INTEGER NOT NULL,
    answered INTEGER,
    answer TEXT NOT NULL,
    repeats INTEGER NOT NULL,
    lead TEXT,
    case_id TEXT,
    flags TEXT NOT NULL
);
CREATE UNIQUE INDEX request_number ON request (number);
CREATE UNIQUE INDEX request_once ON request (source, external);
CREATE INDEX request_lead ON request (lead);
CREATE INDEX request_case ON request (case_id);

CREATE TABLE case_file (
    id TEXT NOT NULL PRIMARY KEY,
    number TEXT NOT NULL,
    class TEXT NOT NULL,
    class_zh TEXT NOT NULL,
    class_en TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL,
    address TEXT NOT NULL,
    area INTEGER NOT NULL,
    lon REAL,
    lat REAL,
    source TEXT NOT NULL,
    level TEXT NOT NULL,
    indicator TEXT NOT NULL,
    finding TEXT,
    lead TEXT,
    step TEXT NOT NULL,
    mark TEXT NOT NULL,
    unit TEXT NOT NULL,
    holder TEXT NOT NULL,
    holder_zh TEXT NOT NULL,
    holder_en TEXT NOT NULL,
    held_since INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    due INTEGER,
    due_counted INTEGER NOT NULL,
    warn INTEGER,
    closed INTEGER,
    late INTEGER NOT NULL,
    parked INTEGER,
    parked_until INTEGER,
    paused INTEGER NOT NULL,
    check_mode TEXT NOT NULL,
    normal_minutes INTEGER,
    evidence_at TEXT NOT NULL,
    voices INTEGER NOT NULL,
    redone INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    flags TEXT NOT NULL,
    version INTEGER NOT NULL
);
CREATE UNIQUE INDEX case_file_number ON case_file (number);
CREATE INDEX case_file_opened ON case_file (opened, id);
CREATE INDEX case_file_state ON case_file (step, due);
CREATE INDEX case_file_closed ON case_file (closed);
CREATE INDEX case_file_area ON case_file (area);
CREATE INDEX case_file_sign ON case_file (indicator, area);
CREATE INDEX case_file_finding ON case_file (finding);
CREATE INDEX case_file_to_count ON case_file (due_counted, due);

CREATE TABLE case_step (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    number TEXT NOT NULL,
    area INTEGER NOT NULL,
    version INTEGER NOT NULL,
    verb TEXT NOT NULL,
    from_step TEXT NOT NULL,
    from_mark TEXT NOT NULL,
    to_step TEXT NOT NULL,
    to_mark TEXT NOT NULL,
    actor TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    at INTEGER NOT NULL,
    happened INTEGER NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    unit TEXT NOT NULL,
    detail TEXT NOT NULL,
    once TEXT
);
CREATE INDEX case_step_subject ON case_step (subject, seq);
CREATE UNIQUE INDEX case_step_once ON case_step (once);
CREATE TRIGGER case_step_never_changed BEFORE UPDATE ON case_step BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;
CREATE TRIGGER case_step_never_deleted BEFORE DELETE ON case_step BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;

CREATE TABLE evidence (
    sha256 TEXT NOT NULL PRIMARY KEY,
    content_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    received INTEGER NOT NULL,
    received_by TEXT NOT NULL
);

CREATE TABLE evidence_link (
    seq INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (seq, sha256)
);
CREATE INDEX evidence_link_sha256 ON evidence_link (sha256);

CREATE TABLE finding (
    id TEXT NOT NULL PRIMARY KEY,
    rule TEXT NOT NULL,
    version TEXT NOT NULL,
    indicator TEXT NOT NULL,
    area INTEGER NOT NULL,
    level TEXT NOT NULL,
    value REAL,
    opened INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    closed INTEGER,
    evidence TEXT NOT NULL,
    acknowledged_by TEXT,
    acknowledged_at INTEGER
);
CREATE INDEX finding_open ON finding (closed, area);
CREATE INDEX finding_sign ON finding (indicator, area, opened);

CREATE TABLE finding_event (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    finding TEXT NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    level TEXT NOT NULL,
    value REAL,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX finding_event_finding ON finding_event (finding, seq);

CREATE TABLE watch_state (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    changed INTEGER NOT NULL
);
