-- Embeddings that were made elsewhere, of pictures that were not seen yet: who brings the picture finds its embedding here.
CREATE TABLE imported (
    model_id INTEGER NOT NULL REFERENCES models (id),
    hash     BLOB NOT NULL CHECK (length(hash) = 32),
    vector   BLOB NOT NULL,
    PRIMARY KEY (model_id, hash)
) STRICT, WITHOUT ROWID;
