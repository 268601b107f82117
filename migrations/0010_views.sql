-- What many queries ask of files and labels, said once. A plus keeps SQLite from going through all files by their state:
-- whatever else is asked for leaves fewer of them.

-- Files that hold an image of the library: also those whose root is away.
CREATE VIEW live_files AS
    SELECT id, path, name, image_id FROM files WHERE +state IN ('indexed', 'offline');

-- Files that are there, as far as is known, whatever became of them.
CREATE VIEW known_files AS
    SELECT id, root_id, path, size_bytes, modified_ns, inode, state, sidecars, image_id FROM files WHERE state <> 'gone';

-- Files that hold an image and can be opened now.
CREATE VIEW readable_files AS
    SELECT id, path, image_id FROM files WHERE +state = 'indexed';

-- Files beside which a sidecar may be wanted, or may have to go.
CREATE VIEW sidecar_files AS
    SELECT id, path, state, written, sidecars, sidecar_error, image_id FROM files
    WHERE +state = 'indexed' OR +state = 'gone' AND written IS NOT NULL;

-- Files that could not be read, or whose sidecars could not be read or written.
CREATE VIEW failures AS
    SELECT path, reason FROM files WHERE state = 'failed'
    UNION ALL
    SELECT path, sidecar_error FROM files WHERE sidecar_error IS NOT NULL AND state = 'indexed';

-- Labels with the names of their sets; decisions know a set by its key.
CREATE VIEW named_labels AS
    SELECT l.id, l.name, s.id AS set_id, s.name AS set_name, s.key AS set_key
    FROM labels l JOIN label_sets s ON s.id = l.label_set_id;
