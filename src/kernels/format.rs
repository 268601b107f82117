//! How numbers are held for a product.

/// How numbers are held for a product. What is added up is held in 32 bits in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberFormat {
    /// 32-bit floating point.
    F32,
    /// 16-bit integers, each row and each column scaled to the same length; needs AVX512-VNNI.
    Int16,
    /// 8-bit integers, each row and each column scaled by its largest value; needs AVX512-VNNI.
    Int8,
}

impl NumberFormat {
    /// Values in a word of 32 bits.
    pub(super) fn values_per_word(self) -> usize {
        match self {
            NumberFormat::F32 => 1,
            NumberFormat::Int16 => 2,
            NumberFormat::Int8 => 4,
        }
    }
}
