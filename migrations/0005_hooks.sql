-- Hooks: who is told that an image gained a label, and what they are still to be told.

-- The hooks of the configuration, and what became of their events.
CREATE TABLE hooks (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    -- 0: the configuration of the last start had it no more; what waits for it waits on.
    is_declared INTEGER NOT NULL,
    -- Events that may wait for it.
    max_waiting INTEGER NOT NULL,
    delivered   INTEGER NOT NULL DEFAULT 0,
    -- Events that came when as many as may were waiting.
    dropped     INTEGER NOT NULL DEFAULT 0,
    given_up    INTEGER NOT NULL DEFAULT 0,
    -- Why the last attempt failed; none where it did not.
    error       TEXT,
    -- Why the last event was given up.
    given_up_for TEXT
) STRICT;

-- The hooks that a label names. By name: a hook may be declared later.
CREATE TABLE label_hooks (
    label_id INTEGER NOT NULL REFERENCES labels (id) ON DELETE CASCADE,
    hook     TEXT NOT NULL,
    PRIMARY KEY (label_id, hook)
) STRICT, WITHOUT ROWID;

-- Events that a hook has not taken yet, oldest first. Written in the transaction that adds the tag.
CREATE TABLE outbox (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    hook_id   INTEGER NOT NULL REFERENCES hooks (id) ON DELETE CASCADE,
    -- The JSON that the hook gets.
    event     TEXT NOT NULL,
    -- Seconds since 1970.
    queued_at INTEGER NOT NULL,
    -- Attempts at which the hook answered, and not well.
    refusals  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX outbox_by_hook ON outbox (hook_id, id);
