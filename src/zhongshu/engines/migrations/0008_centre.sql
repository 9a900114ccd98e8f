-- The operations centre: warnings taken in, responses and modes ordered, incidents with their orders and reports, handovers, instructions.

CREATE TABLE warning (
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    source TEXT NOT NULL,
    sender TEXT NOT NULL,
    external TEXT NOT NULL,
    sent INTEGER NOT NULL,
    digest TEXT NOT NULL,
    message TEXT NOT NULL,
    status TEXT NOT NULL,
    drill INTEGER NOT NULL,
    issuer TEXT NOT NULL,
    hazard TEXT NOT NULL,
    hazard_en TEXT NOT NULL,
    colour TEXT NOT NULL,
    colour_from TEXT NOT NULL,
    area INTEGER NOT NULL,
    areas TEXT NOT NULL,
    shapes TEXT NOT NULL,
    onset INTEGER NOT NULL,
    expires INTEGER,
    text_zh TEXT NOT NULL,
    text_en TEXT NOT NULL,
    names TEXT NOT NULL,
    ended INTEGER,
    ended_by TEXT NOT NULL,
    taken INTEGER NOT NULL,
    taken_by TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX warning_held ON warning (onset);
CREATE UNIQUE INDEX warning_once ON warning (sender, external, sent);

CREATE TABLE response (
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    theme TEXT NOT NULL,
    level INTEGER NOT NULL,
    area INTEGER NOT NULL,
    areas TEXT NOT NULL,
    ordered_by TEXT NOT NULL,
    basis TEXT NOT NULL,
    text_zh TEXT NOT NULL,
    text_en TEXT NOT NULL,
    drill INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX response_open ON response (ended);

CREATE TABLE mode (
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    theme TEXT NOT NULL,
    level INTEGER NOT NULL,
    area INTEGER NOT NULL,
    areas TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL,
    basis TEXT NOT NULL,
    response TEXT,
    drill INTEGER NOT NULL,
    state TEXT NOT NULL,
    proposed INTEGER NOT NULL,
    proposed_by TEXT NOT NULL,
    decided INTEGER,
    decided_by TEXT NOT NULL,
    ended INTEGER,
    ended_by TEXT NOT NULL,
    effects TEXT NOT NULL,
    incident TEXT,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX mode_state ON mode (state, theme);

CREATE TABLE incident (
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    theme TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL,
    level INTEGER NOT NULL,
    area INTEGER NOT NULL,
    areas TEXT NOT NULL,
    places TEXT NOT NULL,
    parties TEXT NOT NULL,
    cases TEXT NOT NULL,
    mode TEXT,
    drill INTEGER NOT NULL,
    state TEXT NOT NULL,
    happened INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    opened_by TEXT NOT NULL,
    closed INTEGER,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX incident_state ON incident (state, opened);

CREATE TABLE incident_order (
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    incident TEXT NOT NULL,
    task TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL,
    unit TEXT NOT NULL,
    unit_zh TEXT NOT NULL,
    unit_en TEXT NOT NULL,
    basis TEXT NOT NULL,
    area INTEGER NOT NULL,
    drill INTEGER NOT NULL,
    state TEXT NOT NULL,
    sent INTEGER NOT NULL,
    sent_by TEXT NOT NULL,
    due INTEGER,
    read INTEGER,
    accepted INTEGER,
    ended INTEGER,
    note TEXT NOT NULL,
    told INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX incident_order_due ON incident_order (state, due);
CREATE INDEX incident_order_of ON incident_order (incident, sent);
CREATE INDEX incident_order_unit ON incident_order (unit, state);

CREATE TABLE incident_report (
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    incident TEXT NOT NULL,
    kind TEXT NOT NULL,
    area INTEGER NOT NULL,
    drill INTEGER NOT NULL,
    state TEXT NOT NULL,
    text_zh TEXT NOT NULL,
    text_en TEXT NOT NULL,
    facts TEXT NOT NULL,
    sent_to TEXT NOT NULL,
    made INTEGER NOT NULL,
    due INTEGER,
    sent INTEGER,
    sent_by TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX incident_report_due ON incident_report (state, due);
CREATE INDEX incident_report_of ON incident_report (incident, made);

CREATE TABLE handover (
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    area INTEGER NOT NULL,
    state TEXT NOT NULL,
    outgoing TEXT NOT NULL,
    outgoing_name TEXT NOT NULL,
    expected TEXT NOT NULL,
    signed_out INTEGER NOT NULL,
    incoming TEXT NOT NULL,
    incoming_name TEXT NOT NULL,
    signed_in INTEGER,
    memo TEXT NOT NULL,
    document TEXT NOT NULL,
    digest TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX handover_state ON handover (state, signed_in);

CREATE TABLE instruction (
    id TEXT NOT NULL,
    number TEXT NOT NULL,
    area INTEGER NOT NULL,
    leader TEXT NOT NULL,
    leader_name TEXT NOT NULL,
    text TEXT NOT NULL,
    case_id TEXT NOT NULL,
    made INTEGER NOT NULL,
    until INTEGER,
    version INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX instruction_case ON instruction (case_id);
CREATE INDEX instruction_made ON instruction (made);

