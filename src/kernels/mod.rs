//! Products of vectors and matrices in the widest instructions that the processor has, found out at run time.
//!
//! Each kernel has a plain twin, which is what it must equal and what runs where there is nothing wider.

mod dot;

pub use dot::{CODE_LANES, CODE_ZERO, CodeQuery, dot, dot_codes, dot_rows, prefetch_row};
