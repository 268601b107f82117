-- Searches that their owner keeps: each is an album that fills itself.
CREATE TABLE searches (
    name     TEXT PRIMARY KEY,
    -- The short form, and the order where only filters are given.
    query    TEXT NOT NULL,
    sequence TEXT,
    saved_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
