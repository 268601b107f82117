-- What people decided: whether an image has a label. It outlives models, label files and the labels themselves, so it is
-- kept by what all of them are known by, and not by their rows.
CREATE TABLE decisions (
    -- The `id` in the set's file, or the file's name where it has none.
    label_set  TEXT NOT NULL,
    label      TEXT NOT NULL,
    -- BLAKE3 of the image's bytes; the image may come later.
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    verdict    TEXT NOT NULL CHECK (verdict IN ('confirmed', 'rejected')),
    -- 'YYYY-MM-DDTHH:MM:SSZ'.
    decided_at TEXT NOT NULL,
    PRIMARY KEY (label_set, label, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX decisions_by_hash ON decisions (hash);

-- The name under which decisions know a set.
ALTER TABLE label_sets ADD COLUMN key TEXT NOT NULL DEFAULT '';
UPDATE label_sets SET key = name;
