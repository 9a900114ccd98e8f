-- Who may do what, and the ledger of what was done. Times are integer microseconds of UTC by the wall's clock.

CREATE TABLE party (
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL UNIQUE,
    name_zh TEXT NOT NULL,
    name_en TEXT NOT NULL,
    unit TEXT NOT NULL,
    kind TEXT NOT NULL,
    active SMALLINT NOT NULL,
    demo SMALLINT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE role_grant (
    party TEXT NOT NULL REFERENCES party (id),
    role TEXT NOT NULL,
    area BIGINT NOT NULL,
    valid_from BIGINT NOT NULL,
    valid_to BIGINT,
    PRIMARY KEY (party, role, area, valid_from)
);

CREATE TABLE secret (
    party TEXT NOT NULL PRIMARY KEY REFERENCES party (id),
    hash TEXT NOT NULL,
    changed BIGINT NOT NULL
);

CREATE TABLE session (
    hash TEXT NOT NULL PRIMARY KEY,
    party TEXT NOT NULL REFERENCES party (id),
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    last_seen BIGINT NOT NULL
);

CREATE INDEX session_by_party ON session (party);

CREATE INDEX session_by_expiry ON session (expires);

CREATE TABLE token (
    hash TEXT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    party TEXT NOT NULL REFERENCES party (id),
    created BIGINT NOT NULL,
    revoked BIGINT
);

CREATE INDEX token_by_party ON token (party);

CREATE TABLE ledger (
    seq INTEGER NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL
);

CREATE TRIGGER ledger_never_changed BEFORE UPDATE ON ledger BEGIN
    SELECT RAISE(ABORT, 'the ledger only grows');
END;

CREATE TRIGGER ledger_never_deleted BEFORE DELETE ON ledger BEGIN
    SELECT RAISE(ABORT, 'the ledger only grows');
END;
