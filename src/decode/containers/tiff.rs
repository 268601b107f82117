//! A TIFF, which is EXIF itself.

use crate::decode::ifd::{Field, Tiff};
use crate::decode::parts::Parts;

/// The field of the colour profile.
const PROFILE: u16 = 0x8773;

/// All of the file: packets and data sets stand in fields of EXIF.
pub(super) fn parts(bytes: &[u8]) -> Parts<'_> {
    let profile = || {
        let first = Tiff::open(bytes)?.first();
        first.all(PROFILE).next().map(Field::data)
    };
    Parts {
        exif: vec![bytes.into()],
        icc: profile().map(Into::into),
        ..Parts::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::ifd::tests::{bytes, tiff};

    #[test]
    fn the_file_is_what_says_all() {
        let file = tiff(&[bytes(PROFILE, 7, b"profile")], &[]);
        let found = parts(&file);
        assert_eq!(found.exif, [&file[..]]);
        assert_eq!(found.icc.as_deref(), Some(&b"profile"[..]));
    }
}
