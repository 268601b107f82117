//! What a container hands on about its picture, before anyone reads it.

use std::borrow::Cow;

/// Parts of a picture's file that say something about it, as they stand there.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    /// TIFF structures (they begin with `II` or `MM`); the first counts before the second.
    pub(super) exif: Vec<Cow<'a, [u8]>>,
    /// XMP packets; an extended one follows its main one.
    pub(super) xmp: Vec<Cow<'a, [u8]>>,
    /// Photoshop's image resources, or bare data sets of IPTC.
    pub(super) iptc: Vec<Cow<'a, [u8]>>,
    /// The colour profile.
    pub(super) icc: Option<Cow<'a, [u8]>>,
}
