-- Trouble is no verdict: what is wrong with a file for the time being, and when it is tried again. The file keeps its state, and
-- the image that it held.
CREATE TABLE waiting (
    file_id     INTEGER PRIMARY KEY REFERENCES files (id) ON DELETE CASCADE,
    -- For people.
    reason      TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    -- Seconds since 1970.
    next_try_at INTEGER NOT NULL,
    -- What the file looked like then; when that changes, it is tried at once.
    size_bytes  INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    changed_ns  INTEGER NOT NULL
) STRICT;

CREATE INDEX waiting_by_next_try_at ON waiting (next_try_at);

-- Time of the last change of anything about a file, also of its permissions, nanoseconds since 1970; 0: not known yet.
ALTER TABLE files ADD COLUMN changed_ns INTEGER NOT NULL DEFAULT 0;
-- Of a file that failed: the release and the limits of the decoders whose word that is. Others look again.
ALTER TABLE files ADD COLUMN decoders TEXT;
-- Whether it lay on another file system than its root; where that is no longer so, a drive is away.
ALTER TABLE files ADD COLUMN is_mounted INTEGER NOT NULL DEFAULT 0;
-- Since when it is not there and kept, seconds since 1970.
ALTER TABLE files ADD COLUMN absent_since INTEGER;
-- The number of a root's own folder; where it is another, another file system may lie there.
ALTER TABLE roots ADD COLUMN inode INTEGER;
UPDATE files SET absent_since = unixepoch('now') WHERE state = 'offline';

DROP VIEW known_files;
-- Files that are there, as far as is known, whatever became of them, each with what it waits for.
CREATE VIEW known_files AS
    SELECT f.id, f.root_id, f.path, f.size_bytes, f.modified_ns, f.inode, f.changed_ns, f.state, f.sidecars, f.image_id,
           f.decoders, f.is_mounted, f.absent_since,
           w.reason, w.attempts, w.next_try_at, w.size_bytes AS waiting_size_bytes, w.modified_ns AS waiting_modified_ns,
           w.inode AS waiting_inode, w.changed_ns AS waiting_changed_ns
    FROM files f LEFT JOIN waiting w ON w.file_id = f.id WHERE f.state <> 'gone';

DROP VIEW readable_files;
-- Files that hold an image and can be opened now.
CREATE VIEW readable_files AS
    SELECT id, root_id, path, size_bytes, modified_ns, inode, changed_ns, image_id FROM files WHERE +state = 'indexed';
