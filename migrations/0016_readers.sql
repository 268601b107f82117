-- Which readers read a file: later ones, which find more in it, read it again, and embed only what they see otherwise.

ALTER TABLE files ADD COLUMN read_by INTEGER NOT NULL DEFAULT 0;

DROP VIEW known_files;
-- Files that are there, as far as is known, whatever became of them, each with what it waits for.
CREATE VIEW known_files AS
    SELECT f.id, f.root_id, f.path, f.size_bytes, f.modified_ns, f.inode, f.changed_ns, f.state, f.sidecars, f.image_id,
           f.decoders, f.read_by, f.is_mounted, f.absent_since,
           w.reason, w.attempts, w.next_try_at, w.size_bytes AS waiting_size_bytes, w.modified_ns AS waiting_modified_ns,
           w.inode AS waiting_inode, w.changed_ns AS waiting_changed_ns
    FROM files f LEFT JOIN waiting w ON w.file_id = f.id WHERE f.state <> 'gone';

-- What a picture's file says beside when, where and by what it was taken.
ALTER TABLE images ADD COLUMN lens TEXT;
ALTER TABLE images ADD COLUMN title TEXT;
-- 0 to 5, and -1 of a picture that its owner rejects.
ALTER TABLE images ADD COLUMN rating INTEGER;
-- Of taken_at: milliseconds within its second, how many minutes that clock was ahead of UTC, and who says so; of 'file_name' and
-- 'file_time', the names and times of the files that hold the image.
ALTER TABLE images ADD COLUMN taken_ms INTEGER;
ALTER TABLE images ADD COLUMN utc_offset_minutes INTEGER;
ALTER TABLE images ADD COLUMN date_source TEXT;
-- The local time in a file's name.
ALTER TABLE files ADD COLUMN named_at TEXT;
