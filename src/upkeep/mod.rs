//! What keeps a library sound over the years, beside the work that it is for.

mod forget;
mod purge;
mod roots;

pub use forget::{ForgetError, ForgetReport, forget};
pub use purge::{PurgeReport, purge, start};
pub use roots::{KnownRoot, known_roots};
