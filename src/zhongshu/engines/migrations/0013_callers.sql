-- A caller's number stands in one place alone; everywhere else they are known by a random name, the same for every call from it.

CREATE TABLE caller (
    id TEXT NOT NULL PRIMARY KEY,
    number TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX caller_number ON caller (number);

INSERT INTO caller (id, number)
SELECT lower(hex(randomblob(16))), number FROM (SELECT DISTINCT substr(reporter, 5) AS number FROM request WHERE reporter LIKE 'tel:%');

UPDATE request SET
    external = CASE WHEN external LIKE reporter || ':%'
        THEN 'tel:' || (SELECT id FROM caller WHERE number = substr(reporter, 5)) || substr(external, length(reporter) + 1) ELSE external END,
    reporter = 'tel:' || (SELECT id FROM caller WHERE number = substr(reporter, 5))
WHERE reporter LIKE 'tel:%';
