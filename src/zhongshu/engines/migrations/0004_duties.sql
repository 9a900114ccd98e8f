-- One table for every kind of duty table (classes, dispatch, limits, duties, calendar, weights, plans, reasons): dated rows, each with its source.
-- What stood in the old one came from packs alone, which bring their rows again whenever a city is opened.

DROP TABLE duty_row;

CREATE TABLE duty_row (
    id INTEGER NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER,
    source TEXT NOT NULL,
    cells TEXT NOT NULL,
    loaded INTEGER NOT NULL,
    loaded_by TEXT NOT NULL
);
CREATE UNIQUE INDEX duty_row_dated ON duty_row (kind, key, valid_from, source);
