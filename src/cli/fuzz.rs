//! Any file as one of embeddings.

use std::path::Path;

use super::vectors::Reader;

/// Rows that are read together.
const BATCH: usize = 4;

/// It is refused, or gives no more rows than it says it has.
pub(crate) fn vectors(path: &Path) {
    let Ok(mut reader) = Reader::open(path) else {
        return;
    };
    let mut rows = 0;
    while let Ok(batch) = reader.read(BATCH)
        && !batch.is_empty()
    {
        rows += batch.len();
    }
    assert!(rows <= reader.shape.rows);
}
