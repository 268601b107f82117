-- What a label set has learned from the library: frozen when the set is applied, so that later pictures are scored alike.

-- Images that the library had then: with twice as many, or half, it is learned again. 0: nothing was learned.
ALTER TABLE label_sets ADD COLUMN learned_from INTEGER NOT NULL DEFAULT 0;
-- The measure of the library, where scores are in it: median and deviation of all log-odds.
ALTER TABLE label_sets ADD COLUMN middle REAL;
ALTER TABLE label_sets ADD COLUMN spread REAL;

-- What a label's example pictures have taught.
CREATE TABLE likenesses (
    label_id INTEGER PRIMARY KEY REFERENCES labels (id) ON DELETE CASCADE,
    -- How far the prompt tells the examples from the library, 0 to 1.
    worth    REAL NOT NULL,
    bias     REAL NOT NULL,
    -- Little-endian f32, one for each dimension of an embedding.
    way      BLOB NOT NULL
) STRICT;
