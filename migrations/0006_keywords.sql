-- Keywords that a file carries, in itself or in a sidecar beside it. A sidecar belongs to a path, so they belong to the file.
CREATE TABLE keywords (
    file_id INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    keyword TEXT NOT NULL,
    PRIMARY KEY (file_id, keyword)
) STRICT, WITHOUT ROWID;

CREATE INDEX keywords_by_keyword ON keywords (keyword);

-- What the sidecars looked like when the keywords were last read; a difference means that they must be read again. Files
-- of an older library have none: their keywords were never read.
ALTER TABLE files ADD COLUMN sidecars TEXT;
-- The keywords that a sidecar was last brought up to date with, so that one that stays as it is need not be opened.
ALTER TABLE files ADD COLUMN written TEXT;
-- Why a sidecar cannot be read or written, for people.
ALTER TABLE files ADD COLUMN sidecar_error TEXT;

CREATE INDEX files_by_sidecar_error ON files (path) WHERE sidecar_error IS NOT NULL;
CREATE INDEX files_by_written ON files (id) WHERE written IS NOT NULL AND state = 'gone';
