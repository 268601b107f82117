-- Videos: one image each, of which several frames are embedded.

ALTER TABLE images ADD COLUMN duration_ms INTEGER;
-- Of a video: when the frame is seen that stands for it, whose embedding is the image's own.
ALTER TABLE images ADD COLUMN cover_ms INTEGER;

-- The other frames that are looked at. A frame's number is never given to another one: the index keeps them.
CREATE TABLE frames (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id INTEGER NOT NULL REFERENCES models (id),
    image_id INTEGER NOT NULL REFERENCES images (id),
    time_ms  INTEGER NOT NULL,
    vector   BLOB NOT NULL,
    UNIQUE (model_id, image_id, time_ms)
) STRICT;

CREATE INDEX frames_by_image ON frames (image_id);

-- Which part of a video's frames carries one of its tags, 0 to 1.
CREATE TABLE tag_shares (
    image_id INTEGER NOT NULL REFERENCES images (id),
    label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
    share    REAL NOT NULL,
    PRIMARY KEY (image_id, label_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX tag_shares_by_label ON tag_shares (label_id);
