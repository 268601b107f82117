//! Label sets in, tags out: reads the owner's label files, scores embeddings against them, and keeps the library's tags
//! what the files say.

mod active;
mod ancestors;
mod apply;
mod calibration;
mod classifier;
mod covariance;
mod decide;
mod edit;
mod error;
mod examples;
mod exemplars;
mod file_error;
mod files;
mod follow;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod learn;
mod learned;
mod overrule;
mod plan;
mod preview;
mod probability;
mod score;
mod set;
mod signature;
mod stand;
mod state;
mod status;
mod tagger;

pub use ancestors::Ancestors;
pub use classifier::{Classifier, Kept};
pub use edit::{EditError, LabelEdit, SetEdit};
pub use error::TagError;
pub use examples::missing_examples;
pub use file_error::{FileError, MAX_FILE_BYTES};
pub use files::{SetOrFault, read_set, read_sets};
pub(crate) use follow::follow;
pub use follow::{prepare_folder, starter_sets, write_sets};
pub use preview::{Closer, Dropped, LabelPreview, Near, Preview, Steps};
pub use score::score_library;
pub use set::{Label, LabelSet, Mode, Scoring, SetError};
pub use stand::{LabelScore, Precision, Review};
pub use status::SetStatus;
pub use tagger::{Sets, Tagger};

/// A label file: its name and its text.
pub type LabelFile = (&'static str, &'static str);

/// The sets that a new library of photos starts with.
pub const PHOTO_SETS: [LabelFile; 3] = [
    ("kinds.toml", include_str!("../../config/labels/kinds.toml")),
    (
        "scenes.toml",
        include_str!("../../config/labels/scenes.toml"),
    ),
    (
        "subjects.toml",
        include_str!("../../config/labels/subjects.toml"),
    ),
];

/// The sets that a new library starts with where the bundled model is at work, which knows drawn pictures only.
pub const DRAWN_SETS: [LabelFile; 3] = [
    (
        "colours.toml",
        include_str!("../../config/labels/drawn/colours.toml"),
    ),
    (
        "scenes.toml",
        include_str!("../../config/labels/drawn/scenes.toml"),
    ),
    (
        "things.toml",
        include_str!("../../config/labels/drawn/things.toml"),
    ),
];
