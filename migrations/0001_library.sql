-- The library: folders, files, images, embeddings, label sets and tags.

-- Facts about the library as a whole, e.g. the model it was built with.
CREATE TABLE facts (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A watched folder. Offline: missing or empty although files in it are known; its files stay until it is back.
CREATE TABLE roots (
    id    INTEGER PRIMARY KEY,
    path  BLOB NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'online' CHECK (state IN ('online', 'offline'))
) STRICT;

-- A picture's content, identified by the BLAKE3 hash of its bytes.
CREATE TABLE images (
    id         INTEGER PRIMARY KEY,
    hash       BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    format     TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    -- Pixels, after the EXIF orientation is applied.
    width      INTEGER NOT NULL,
    height     INTEGER NOT NULL,
    -- Local time of the camera, 'YYYY-MM-DDTHH:MM:SS'; sorts as text.
    taken_at   TEXT,
    camera     TEXT,
    latitude   REAL,
    longitude  REAL
) STRICT;

CREATE INDEX images_by_taken_at ON images (taken_at);

-- A path under a root. Many files can hold one image.
CREATE TABLE files (
    id          INTEGER PRIMARY KEY,
    root_id     INTEGER NOT NULL REFERENCES roots (id) ON DELETE CASCADE,
    -- The whole path, as the bytes that the system uses: names need not be UTF-8.
    path        BLOB NOT NULL UNIQUE,
    -- What the file looked like when it was last read; a difference means that it must be read again.
    size_bytes  INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'indexed', 'failed', 'offline', 'gone')),
    -- Why it failed, for people.
    reason      TEXT,
    image_id    INTEGER REFERENCES images (id),
    CHECK (state <> 'indexed' OR image_id IS NOT NULL),
    CHECK ((state = 'failed') = (reason IS NOT NULL))
) STRICT;

CREATE INDEX files_by_image ON files (image_id) WHERE image_id IS NOT NULL;
CREATE INDEX files_by_root_and_state ON files (root_id, state);
CREATE INDEX files_by_state ON files (state);

-- Vectors of two models never meet: each is kept under the fingerprint of the model that made it.
CREATE TABLE models (
    id          INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL
) STRICT;

-- Unit-length embeddings, little-endian f32.
CREATE TABLE embeddings (
    model_id INTEGER NOT NULL REFERENCES models (id),
    image_id INTEGER NOT NULL REFERENCES images (id),
    vector   BLOB NOT NULL,
    PRIMARY KEY (model_id, image_id)
) STRICT;

-- A label set as it was last applied; the file in the labels folder is what its owner wants.
CREATE TABLE label_sets (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    -- Hash of the model and of all that can change a score.
    signature  TEXT NOT NULL,
    -- The file's text, for the time in which the file itself is broken.
    definition TEXT NOT NULL
) STRICT;

CREATE TABLE labels (
    id           INTEGER PRIMARY KEY,
    label_set_id INTEGER NOT NULL REFERENCES label_sets (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    UNIQUE (label_set_id, name)
) STRICT;

-- A label kept for an image.
CREATE TABLE tags (
    label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
    image_id INTEGER NOT NULL REFERENCES images (id),
    score    REAL NOT NULL,
    PRIMARY KEY (label_id, image_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX tags_by_image ON tags (image_id);
