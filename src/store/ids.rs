//! Numbers of rows. Short-lived: the identity that outlives a library is the [`ContentHash`](super::ContentHash).

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef};

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident($visible:vis)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name($visible i64);

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.0.into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<$name> {
                value.as_i64().map($name)
            }
        }
    };
}

row_id! {
    /// A watched folder's row.
    RootId(pub(super))
}

row_id! {
    /// A file's row.
    FileId(pub(super))
}

row_id! {
    /// An image's row.
    ImageId(pub)
}

row_id! {
    /// The row of a video's frame.
    FrameId(pub)
}

row_id! {
    /// A model's row, one for each fingerprint.
    ModelId(pub(super))
}

row_id! {
    /// A label's row.
    LabelId(pub(super))
}

row_id! {
    /// A hook's row.
    HookId(pub(super))
}

/// Images as one value for a statement that asks for all of them at once: `… IN (SELECT value FROM json_each(?1))`.
pub(super) fn json(images: impl IntoIterator<Item = ImageId>) -> String {
    let ids: Vec<i64> = images.into_iter().map(|image| image.0).collect();
    format!("{ids:?}")
}
