-- People search for files by their names: the last part of the path in lower case, kept apart so that it can be looked up.
ALTER TABLE files ADD COLUMN name TEXT NOT NULL DEFAULT '';

-- Cuts off all that is in front of the last slash. In later rows the program itself puts in what it takes for the name.
UPDATE files SET name = lower(substr(
    CAST(path AS TEXT),
    length(rtrim(CAST(path AS TEXT), replace(CAST(path AS TEXT), '/', ''))) + 1));

CREATE INDEX files_by_name ON files (name);
