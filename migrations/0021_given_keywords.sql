-- Keywords that another program keeps for itself, and that were taken over from there. Like what people decide they belong to the
-- content of a picture, and outlive its files.
CREATE TABLE given_keywords (
    hash    BLOB NOT NULL,
    keyword TEXT NOT NULL,
    -- The program.
    source  TEXT NOT NULL,
    PRIMARY KEY (hash, keyword, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX given_keywords_by_keyword ON given_keywords (keyword);
