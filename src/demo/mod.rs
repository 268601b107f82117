//! The drawn world: the picture library that `pixdex demo` serves and that tests search.
//!
//! | file | its question |
//! | --- | --- |
//! | `world` | which things, colours and backgrounds are there? |
//! | `things`, `backgrounds`, `draw` | how is each drawn? |
//! | `scene` | what does one picture show, and where on it? |
//! | `plan`, `photo` | which pictures are there, and what would a camera have noted in them? |
//! | `pictures` | how do they come into a folder? |

mod backgrounds;
mod draw;
mod photo;
mod pictures;
mod plan;
mod scene;
mod things;
mod world;

pub use pictures::{BROKEN, write_library};
pub use plan::{Picture, SEARCHES};
