-- Companions: files of one shot, of which one stands for all.

-- The file that stands for this one's shot; none where it stands for itself.
ALTER TABLE files ADD COLUMN main_id INTEGER REFERENCES files (id) ON DELETE SET NULL;

-- By what a phone knows the picture and the film of one live photo: Apple's ContentIdentifier.
ALTER TABLE images ADD COLUMN content_identifier TEXT;

CREATE INDEX files_by_main ON files (main_id) WHERE main_id IS NOT NULL;

DROP VIEW live_files;
-- Files that hold an image of the library and stand for themselves: also those whose root is away.
CREATE VIEW live_files AS
    SELECT id, path, name, image_id FROM files WHERE +state IN ('indexed', 'offline') AND +main_id IS NULL;

-- Files of each image: those that hold it, and their companions. Looked for by what is the file's own.
CREATE VIEW shot_files AS
    SELECT f.id, f.path, f.name, coalesce(m.image_id, f.image_id) AS image_id
    FROM files f LEFT JOIN files m ON m.id = f.main_id WHERE +f.state IN ('indexed', 'offline');

-- The companions of files that hold an image.
CREATE VIEW companion_files AS
    SELECT f.id, f.path, m.image_id FROM files m JOIN files f ON f.main_id = m.id
    WHERE +m.state IN ('indexed', 'offline') AND +f.state IN ('indexed', 'offline');

DROP VIEW sidecar_files;
-- Files beside which a sidecar may be wanted, or has to go: of a shot, one is wanted beside the file that stands for it.
CREATE VIEW sidecar_files AS
    SELECT id, path, +state = 'indexed' AND +main_id IS NULL AS is_wanted, written, sidecars, sidecar_error, image_id FROM files
    WHERE is_wanted OR written IS NOT NULL AND +state IN ('indexed', 'gone');

-- Companions are found as files are read: those of earlier libraries are read once more.
UPDATE files SET read_by = 0 WHERE state IN ('indexed', 'offline') AND image_id IN (
    SELECT id FROM images WHERE format = 'raw');
