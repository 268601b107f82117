//! Label sets in, tags out: reads the owner's label files, scores embeddings against them, and keeps the library's tags
//! what the files say.

mod ancestors;
mod classifier;
mod decide;
mod examples;
mod files;
mod follow;
mod learned;
mod likeness;
mod odds;
mod preview;
mod ready;
mod score;
mod set;
mod spread;
mod standard;
mod status;
mod tagger;
mod told;

pub use ancestors::Ancestors;
pub use classifier::{Classifier, Kept};
pub use examples::missing_examples;
pub use follow::{follow, prepare_folder, starter_sets, write_sets};
pub use preview::{Dropped, LabelPreview, Near, Preview};
pub use score::score_library;
pub use set::{Label, LabelSet, Mode, SetError};
pub use standard::Scoring;
pub use status::SetStatus;
pub use tagger::{Applied, Sets, TagError, Tagger};

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
