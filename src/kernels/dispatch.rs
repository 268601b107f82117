//! Which instructions a number format is multiplied with: the one place that asks the processor for them.

use pulp::{Arch, bytemuck};

#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::f32;
use super::format::NumberFormat;
use super::panels::Panels;
use super::product::{Sink, Strided};

/// What the widest vector instructions of this processor are called.
pub(crate) fn widest() -> &'static str {
    match Arch::new() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "aarch64")]
        Arch::Neon(_) => "NEON",
        _ => "no vector instructions",
    }
}

impl NumberFormat {
    /// Whether this processor has the instructions.
    pub(crate) fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return self == NumberFormat::F32 || avx512::is_available();
        #[cfg(not(target_arch = "x86_64"))]
        return self == NumberFormat::F32;
    }

    /// Writes values as words; says what integers are to be multiplied with to be the values again.
    pub(super) fn encode(self, values: &[f32], words: &mut [u32]) -> f32 {
        if self == NumberFormat::F32 {
            words.copy_from_slice(bytemuck::cast_slice(values));
            return 1.0;
        }
        #[cfg(target_arch = "x86_64")]
        return avx512::encode(self, values, words);
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("a format is refused where it is not available");
    }

    /// Multiplies rows with weights in the format.
    pub(super) fn multiply(self, a: Strided<'_>, weights: &Panels, sink: &mut impl Sink) {
        match self {
            NumberFormat::F32 => Arch::new().dispatch(f32::Multiply { a, weights, sink }),
            #[cfg(target_arch = "x86_64")]
            NumberFormat::Int16 => avx512::multiply_int16(a, weights, sink),
            #[cfg(target_arch = "x86_64")]
            NumberFormat::Int8 => avx512::multiply_int8(a, weights, sink),
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("a format is refused where it is not available"),
        }
    }
}
