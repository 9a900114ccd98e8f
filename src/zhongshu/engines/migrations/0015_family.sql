-- A link by which family looks on at one report: known by its secret's digest alone, revoked by who made it.

CREATE TABLE follow_link (
    id TEXT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL DEFAULT '',
    request TEXT NOT NULL DEFAULT '',
    made INTEGER NOT NULL DEFAULT 0,
    revoked INTEGER
);
CREATE UNIQUE INDEX follow_link_digest ON follow_link (digest);
CREATE INDEX follow_link_request ON follow_link (request, made);
