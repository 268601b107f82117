-- Lines that are still to be written into the second copy of what people decided, oldest first. Written in the transaction that
-- keeps the decision.
CREATE TABLE journal (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    line TEXT NOT NULL
) STRICT;
