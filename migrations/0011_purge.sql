-- What is no longer there is kept for a time, and then purged.

-- When a file went, in seconds since 1970; says nothing while it is there. When those of an older library went, nobody knows.
ALTER TABLE files ADD COLUMN gone_at INTEGER;
UPDATE files SET gone_at = unixepoch() WHERE state = 'gone';
CREATE INDEX files_by_gone_at ON files (gone_at) WHERE state = 'gone';

-- Since when no file that is there holds the image, as far as that was noticed.
ALTER TABLE images ADD COLUMN unheld_since INTEGER;
CREATE INDEX images_by_unheld_since ON images (unheld_since) WHERE unheld_since IS NOT NULL;

-- The highest number of an image that was purged. Numbers are never given twice: the index's file knows embeddings by them.
CREATE TABLE purged (highest_image INTEGER NOT NULL) STRICT;
INSERT INTO purged VALUES (0);

-- An image is purged without going through all embeddings of a model.
CREATE INDEX embeddings_by_image ON embeddings (image_id);
