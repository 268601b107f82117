-- Tokens: who may ask from other machines, and for what. A secret is never kept, only its hash.

CREATE TABLE tokens (
    name TEXT PRIMARY KEY,
    -- What it is good for, and everything that is less.
    scope TEXT NOT NULL CHECK (scope IN ('read', 'label', 'admin')),
    -- BLAKE3 of the secret, which is 32 random bytes: nothing that could be guessed, and so nothing that must be slow to hash.
    hash BLOB NOT NULL UNIQUE,
    created_at TEXT NOT NULL,
    last_used_at TEXT
) STRICT;

-- Browsers that logged in with a token; they go with it.
CREATE TABLE sessions (
    hash BLOB PRIMARY KEY,
    token TEXT NOT NULL REFERENCES tokens (name) ON DELETE CASCADE,
    -- Seconds since 1970.
    ends_at INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_token ON sessions (token);
CREATE INDEX sessions_by_end ON sessions (ends_at);
