//! Any text as a cursor.

use super::cursor::Cursor;
use crate::store::ImageId;

/// It is refused, or it is the place that it is when it is written again.
pub(crate) fn cursor(text: &str) {
    let Ok(cursor) = text.parse::<Cursor>() else {
        return;
    };
    let is_before = |image, similarity| cursor.is_before((image, similarity));
    assert!(!is_before(cursor.image, cursor.similarity));
    if cursor.image >= ImageId(0) {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
}
