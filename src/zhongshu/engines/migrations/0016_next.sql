-- The order of the queue: what runs out first of an open case, its own limit or its holder's part; what stands still comes last.

CREATE INDEX case_file_next ON case_file (
    (CASE WHEN parked IS NULL THEN 0 ELSE 4611686018427387903 END + CASE WHEN held_due < coalesce(due, 4611686018427387904) THEN held_due ELSE coalesce(due, 4611686018427387904) END),
    id, area, class
) WHERE closed IS NULL;
