//! What keeps a library sound over the years, beside the work that it is for.

mod backup;
mod check;
mod forget;
mod purge;
mod reembed;
mod roots;

pub use backup::{BackupReport, back_up, restore};
pub use check::{Check, check, repair};
pub use forget::{ForgetError, ForgetReport, forget};
pub use purge::{KeepDays, PurgeReport, purge, start};
pub use reembed::{Reembedding, ReembeddingProgress, ReembeddingReport};
pub use roots::{KnownRoot, known_roots};
